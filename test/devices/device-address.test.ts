import { expect, test } from '@jest/globals';
import { parseDeviceAddress } from '../../domain/myntrix/device-address.ts';

const serial = {
  transport: 'serial',
  baud: 115_200,
  dataBits: 8,
  stopBits: 1,
  parity: 'none',
  rtscts: false,
};

test.each([
  ['tcp://127.0.0.1:7700', undefined, { transport: 'tcp', host: '127.0.0.1', port: 7_700 }],
  ['tcp://printer.local:80', undefined, { transport: 'tcp', host: 'printer.local', port: 80 }],
  ['tcp://[::1]:9000', undefined, { transport: 'tcp', host: '::1', port: 9_000 }],
  ['printer:23', undefined, { transport: 'tcp', host: 'printer', port: 23 }],
  ['192.168.1.40', 8_080, { transport: 'tcp', host: '192.168.1.40', port: 8_080 }],
  ['fe80::1', 23, { transport: 'tcp', host: 'fe80::1', port: 23 }],
  ['/dev/ttyUSB0', undefined, { ...serial, path: '/dev/ttyUSB0' }],
  ['COM3', undefined, { ...serial, path: 'COM3' }],
  ['serial://COM12?baud=9600', undefined, { ...serial, path: 'COM12', baud: 9_600 }],
  ['serial:///dev/ttyACM0?baud=250000', undefined, { ...serial, path: '/dev/ttyACM0', baud: 250_000 }],
  [
    'serial://?usb=AB0K&parity=even&data=7',
    undefined,
    { ...serial, usbSerial: 'AB0K', parity: 'even', dataBits: 7 },
  ],
  [
    'mqtts://broker/plant',
    undefined,
    { transport: 'mqtt', host: 'broker', port: 8_883, secure: true, path: '/plant' },
  ],
  [
    'modbus-tcp://plc',
    undefined,
    { transport: 'modbus-tcp', host: 'plc', port: 502, secure: false, path: '' },
  ],
  [
    'https://cam/api?x=1',
    undefined,
    { transport: 'http', host: 'cam', port: 443, secure: true, path: '/api?x=1' },
  ],
  ['mock://demo', undefined, { transport: 'mock', name: 'demo' }],
])('%s is understood', (given, port, address) => {
  expect(parseDeviceAddress(given, port)).toEqual(address);
});

test.each([
  ['', 'empty'],
  ['192.168.1.40', 'configuration.port'],
  ['tcp://host', 'names no port'],
  ['tcp://host:99999', '99999'],
  ['tcp://host:0', '1 to 65535'],
  ['tcp://host:1/path', 'nothing follows'],
  ['tcp://me:secret@host:1', 'as a secret'],
  ['serial:///dev/ttyUSB0?baud=fast', 'baud is fast'],
  ['serial:///dev/ttyUSB0?bits=8', 'bits is not known'],
  ['serial://', 'either a path or usb'],
  ['serial:///dev/../etc/passwd', 'goes up'],
  ['ftp://host', 'ftp:// is not known'],
  ['tcp://host:1\r\nM112', 'control character'],
  ['two words', 'no form'],
])('%j is refused, with the reason and what would be right', (given, reason) => {
  expect(() => parseDeviceAddress(given)).toThrow(reason);
  expect(() => parseDeviceAddress(given)).toThrow('Right would be');
});
