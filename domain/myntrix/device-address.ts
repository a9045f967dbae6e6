import { AppError } from '../errors.ts';

/** Where a device is and how it is spoken to: its `connectionString`, taken apart. */
export type DeviceAddress =
  | {
      transport: 'serial';
      /** A path (`/dev/ttyUSB0`, `COM3`), or the serial number of a USB device, wherever it is plugged in. */
      path?: string;
      usbSerial?: string;
      baud: number;
      dataBits: 5 | 6 | 7 | 8;
      stopBits: 1 | 2;
      parity: 'none' | 'even' | 'odd';
      rtscts: boolean;
    }
  | { transport: 'tcp'; host: string; port: number }
  | MqttAddress
  | ModbusAddress
  | HttpAddress
  | { transport: 'mock'; name: string };

interface AddressOf<T extends string> {
  transport: T;
  host: string;
  port: number;
  secure: boolean;
  /** With its query. */
  path: string;
}
export type MqttAddress = AddressOf<'mqtt'>;
export type ModbusAddress = AddressOf<'modbus-tcp'>;
export type HttpAddress = AddressOf<'http'>;
export type SerialAddress = Extract<DeviceAddress, { transport: 'serial' }>;
export type TcpAddress = Extract<DeviceAddress, { transport: 'tcp' }>;
export type MockAddress = Extract<DeviceAddress, { transport: 'mock' }>;

/** Printers of today; GRBL has the same. */
const BAUD = 115_200;
const LIMIT = 1_000;
const FORMS =
  'tcp://host:port, serial:///dev/ttyUSB0?baud=115200, serial://?usb=<serial number>, /dev/…, COM3, host:port, mqtt(s)://…, modbus-tcp://…, http(s)://… or mock://name';

const schemes = {
  mqtt: { transport: 'mqtt', port: 1_883, secure: false },
  mqtts: { transport: 'mqtt', port: 8_883, secure: true },
  'modbus-tcp': { transport: 'modbus-tcp', port: 502, secure: false },
  http: { transport: 'http', port: 80, secure: false },
  https: { transport: 'http', port: 443, secure: true },
} as const;

/**
 * @param given a URL, a path or port of this kind of machine, `host:port`, or a host alone
 * @param defaultPort of the configuration, for a host alone
 * @throws AppError invalid, with what would be right
 */
export function parseDeviceAddress(given: string, defaultPort?: number): DeviceAddress {
  const text = given.trim();
  if (text === '' || text.length > LIMIT) throw wrong(given, 'it is empty or longer than 1,000 characters');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) throw wrong(given, 'it holds a control character');
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return bare(text, defaultPort);
  if (scheme === 'serial') return serial(text.slice('serial://'.length), given);
  if (scheme === 'mock') return { transport: 'mock', name: text.slice('mock://'.length) || 'mock' };
  const parts = /^[^:]+:\/\/([^/?#@]*@)?(\[[0-9a-f:.]+\]|[^:/?#@[\]\s]*)(?::(\d{1,5}))?([/?][^#]*)?$/i.exec(
    text,
  );
  if (!parts) throw wrong(given, 'its host, port or path cannot be read');
  const [, login, bracketedHost = '', port, path = ''] = parts;
  if (login !== undefined)
    throw wrong(given, 'it holds a login, which belongs into the configuration as a secret');
  if (bracketedHost === '') throw wrong(given, 'it names no host');
  const host = unbracketed(bracketedHost);
  if (scheme === 'tcp') {
    const at = port ?? defaultPort;
    if (at === undefined) throw wrong(given, 'it names no port, and neither does configuration.port');
    if (path !== '' && path !== '/') throw wrong(given, `nothing follows the port (${path})`);
    return { transport: 'tcp', host, port: portOf(at, given) };
  }
  if (!Object.hasOwn(schemes, scheme)) throw wrong(given, `${scheme}:// is not known`);
  const { transport, port: usual, secure } = schemes[scheme as keyof typeof schemes]; // its own key: checked above
  return { transport, host, port: portOf(port ?? usual, given), secure, path: path === '/' ? '' : path };
}

/** The address as one would write it, for messages; logins were refused. */
export function shownAddress(address: DeviceAddress): string {
  switch (address.transport) {
    case 'serial':
      return address.path ?? `USB device ${address.usbSerial}`;
    case 'mock':
      return `mock://${address.name}`;
    case 'tcp':
      return `tcp://${bracketed(address.host)}:${address.port}`;
    default:
      return `${address.transport}${address.secure ? 's' : ''}://${bracketed(address.host)}:${address.port}${address.path}`;
  }
}

function bare(text: string, defaultPort: number | undefined): DeviceAddress {
  if (text.startsWith('/') || /^(\\\\\.\\)?COM\d{1,3}$/i.test(text)) return serial(text, text);
  const withPort = /^(\[[0-9a-f:.]+\]|[^:/\s]+):(\d{1,5})$/i.exec(text);
  const isAddress = /^[0-9a-f]*:[0-9a-f:.]+$/i.test(text);
  if (!withPort && !isAddress && !/^[^:/\s?#@]+$/.test(text))
    throw wrong(text, 'it has no form that is known');
  const host = unbracketed(withPort?.[1] ?? text);
  if (!withPort && defaultPort === undefined)
    throw wrong(text, 'it is an address alone, which needs configuration.port');
  return { transport: 'tcp', host, port: portOf(withPort?.[2] ?? defaultPort, text) };
}

function portOf(port: string | number | undefined, given: string): number {
  const number = Number(port);
  if (Number.isInteger(number) && number >= 1 && number <= 65_535) return number;
  throw wrong(given, `its port is ${port}, and ports are from 1 to 65535`);
}

/** @param rest what follows `serial://`: a path with its slash, or a port's name, and options */
function serial(rest: string, given: string): SerialAddress {
  const [before = '', query = ''] = rest.split('?', 2);
  // `serial:///COM3` is what some write.
  const path = decodeURIComponent(before).replace(/^\/(?=COM\d)/i, '');
  const options = new URLSearchParams(query);
  for (const key of options.keys())
    if (!['baud', 'usb', 'data', 'stop', 'parity', 'rtscts'].includes(key))
      throw wrong(given, `its option ${key} is not known: baud, usb, data, stop, parity and rtscts are`);
  const usbSerial = options.get('usb') ?? undefined;
  if ((path === '') === (usbSerial === undefined))
    throw wrong(given, 'it needs either a path or usb=<serial number>');
  if (path.includes('..')) throw wrong(given, 'its path goes up (..)');
  const baud = Number(options.get('baud') ?? BAUD);
  if (!Number.isInteger(baud) || baud < 50 || baud > 4_000_000)
    throw wrong(given, `its baud is ${options.get('baud')}, and rates are from 50 to 4000000`);
  const one = <T extends string>(name: string, usual: T, ...others: T[]): T => {
    const value = options.get(name) ?? usual;
    const found = [usual, ...others].find((each) => each === value);
    if (found === undefined) throw wrong(given, `its ${name} is ${value}: ${[usual, ...others].join(', ')}`);
    return found;
  };
  const dataBits = { '8': 8, '7': 7, '6': 6, '5': 5 } as const;
  const stopBits = { '1': 1, '2': 2 } as const;
  return {
    transport: 'serial',
    ...(usbSerial === undefined ? { path } : { usbSerial }),
    baud,
    dataBits: dataBits[one('data', '8', '7', '6', '5')],
    stopBits: stopBits[one('stop', '1', '2')],
    parity: one('parity', 'none', 'even', 'odd'),
    rtscts: one('rtscts', 'false', 'true') === 'true',
  };
}

const unbracketed = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');
const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);

const wrong = (given: string, why: string): AppError =>
  new AppError(
    'invalid',
    `the connectionString ${JSON.stringify(given.slice(0, 200))} cannot be used: ${why}. Right would be ${FORMS}`,
  );
