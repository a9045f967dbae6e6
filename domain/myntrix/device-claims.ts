import type { DeviceAddress } from './device-address.ts';

/**
 * What only one device at a time can be connected to: a port of a host, a socket. Nothing for what many can share.
 * Two names of one machine are not noticed; a serial port is locked by its host besides.
 */
export function claimOf(address: DeviceAddress, host: string): string | null {
  switch (address.transport) {
    case 'serial':
      return `serial ${host} ${address.path ?? `usb ${address.usbSerial?.toLowerCase()}`}`;
    case 'tcp': {
      const name = address.host.toLowerCase();
      const isLocal = name === 'localhost' || name === '::1' || name.startsWith('127.');
      return isLocal ? `tcp ${host} localhost:${address.port}` : `tcp ${name}:${address.port}`;
    }
    default:
      return null;
  }
}
