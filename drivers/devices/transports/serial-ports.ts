import { SerialPort } from 'serialport';
import { AppError } from '../../../domain/errors.ts';
import type { SerialPortInfo } from '../port.ts';
import { listSysPorts } from './sys-ports.ts';

/**
 * The serial ports of this machine.
 * @throws AppError unavailable where the system cannot list them
 */
export async function listSerialPorts(): Promise<SerialPortInfo[]> {
  const ports = await SerialPort.list().catch((error: Error) => {
    if (/udevadm ENOENT/.test(error.message)) return listSysPorts();
    throw new AppError('unavailable', `the serial ports of this host cannot be listed: ${error.message}`);
  });
  return ports.map(({ path, manufacturer, serialNumber, vendorId, productId }) => ({
    path,
    ...(manufacturer === undefined ? {} : { manufacturer }),
    ...(serialNumber === undefined ? {} : { serialNumber }),
    ...(vendorId === undefined ? {} : { vendorId }),
    ...(productId === undefined ? {} : { productId }),
  }));
}

/** Where the USB device with this serial number is plugged in now. */
export async function findByUsbSerial(serialNumber: string): Promise<string> {
  const ports = await listSerialPorts();
  const port = ports.find((each) => each.serialNumber?.toLowerCase() === serialNumber.toLowerCase());
  if (port) return port.path;
  const known = ports.flatMap((each) => each.serialNumber ?? []).join(', ');
  throw new AppError(
    'unavailable',
    `no USB device with the serial number ${serialNumber} is plugged in (${known ? `there are ${known}` : 'there are none with one'})`,
  );
}
