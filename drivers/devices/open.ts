import { AppError } from '../../domain/errors.ts';
import { type DeviceAddress, shownAddress } from '../../domain/myntrix/device-address.ts';
import type { OpenOptions, Transport } from './port.ts';
import { openMock } from './transports/mock.ts';
import { openSerial } from './transports/serial.ts';
import { openTcp } from './transports/tcp.ts';

/** @throws AppError unavailable when it cannot be opened, invalid for a transport without bytes of its own */
export async function openTransport(address: DeviceAddress, options: OpenOptions): Promise<Transport> {
  switch (address.transport) {
    case 'serial':
      return openSerial(address, options);
    case 'tcp':
      return openTcp(address, options);
    case 'mock':
      return openMock(address);
    default:
      throw new AppError('invalid', `${shownAddress(address)}: ${address.transport} is not spoken yet`);
  }
}
