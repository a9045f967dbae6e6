import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { listSysPorts } from '../../drivers/devices/transports/sys-ports.ts';

test('without udev the kernel says which serial ports there are, and which USB device is behind them', async () => {
  const root = await mkdtemp(join(tmpdir(), 'sys-'));
  const ttys = join(root, 'tty');
  const usb = join(root, 'usb1', '1-1');
  await mkdir(join(usb, '1-1:1.0', 'ttyUSB0'), { recursive: true });
  await mkdir(join(root, 'uart'), { recursive: true });
  for (const [file, text] of Object.entries({
    idVendor: '0403',
    idProduct: '6001',
    serial: 'A50285BI',
    manufacturer: 'FTDI',
  }))
    await writeFile(join(usb, file), `${text}\n`);
  for (const name of ['ttyUSB0', 'ttyS0', 'ttyS1', 'tty1'])
    await mkdir(join(ttys, name), { recursive: true });
  await symlink(join(usb, '1-1:1.0', 'ttyUSB0'), join(ttys, 'ttyUSB0', 'device'));
  for (const [name, type] of [
    ['ttyS0', '4'],
    ['ttyS1', '0'],
  ] as const) {
    await symlink(join(root, 'uart'), join(ttys, name, 'device'));
    await writeFile(join(ttys, name, 'type'), `${type}\n`);
  }
  const ports = await listSysPorts(ttys);
  expect(ports.sort((a, b) => a.path.localeCompare(b.path))).toEqual([
    { path: '/dev/ttyS0' },
    {
      path: '/dev/ttyUSB0',
      vendorId: '0403',
      productId: '6001',
      serialNumber: 'A50285BI',
      manufacturer: 'FTDI',
    },
  ]);
  await rm(root, { recursive: true });
});
