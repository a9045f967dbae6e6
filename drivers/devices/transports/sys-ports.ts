import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { SerialPortInfo } from '../port.ts';

const TTYS = '/sys/class/tty';
/** From a port's device up to the USB device that it is a part of. */
const LEVELS = ['.', '..', '../..'];

/** The serial ports of a Linux machine by its kernel's own files, for systems without udev. */
export async function listSysPorts(folder = TTYS): Promise<SerialPortInfo[]> {
  const names = await readdir(folder);
  const ports = await Promise.all(names.map((name) => portOf(folder, name)));
  return ports.filter((port) => port !== undefined);
}

async function portOf(folder: string, name: string): Promise<SerialPortInfo | undefined> {
  const device = await realpath(join(folder, name, 'device')).catch(() => undefined);
  if (device === undefined) return undefined; // a terminal of the kernel's own: no hardware is behind it
  // UARTs that a board could have and has not are there too, without a type.
  if ((await read(join(folder, name, 'type'))) === '0') return undefined;
  for (const level of LEVELS) {
    const vendorId = await read(join(device, level, 'idVendor'));
    if (vendorId === undefined) continue;
    const entries = {
      vendorId,
      productId: await read(join(device, level, 'idProduct')),
      serialNumber: await read(join(device, level, 'serial')),
      manufacturer: await read(join(device, level, 'manufacturer')),
    };
    const known = Object.entries(entries).filter(([, value]) => value !== undefined && value !== '');
    return { path: `/dev/${name}`, ...Object.fromEntries(known) };
  }
  return { path: `/dev/${name}` };
}

const read = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').then(
    (text) => text.trim().slice(0, 300),
    () => undefined,
  );
