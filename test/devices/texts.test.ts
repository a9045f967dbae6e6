import { createServer, type Server } from 'node:net';
import { afterAll, expect, test } from '@jest/globals';
import { readGcode } from '../../drivers/devices/gcode/lines.ts';
import type { GcodeLine } from '../../drivers/devices/gcode/port.ts';
import type { Transport } from '../../drivers/devices/port.ts';
import { createProtocol } from '../../drivers/devices/protocols/create.ts';
import { detectProtocol } from '../../drivers/devices/protocols/detect.ts';
import { createLineSplitter } from '../../drivers/devices/protocols/line-splitter.ts';
import { createLines } from '../../drivers/devices/protocols/lines.ts';
import type { DeviceEvent } from '../../drivers/devices/protocols/port.ts';
import { connect } from './connect.ts';

const servers: Server[] = [];
const transports: Transport[] = [];
afterAll(async () => {
  for (const transport of transports) await transport.close();
  for (const server of servers) server.close();
});

/** A device on a socket that answers what comes by this. */
async function deviceThat(answer: (text: string) => string | undefined): Promise<Transport> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const said = answer(bytes.toString('latin1'));
      if (said !== undefined) socket.write(said, 'latin1');
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = server.address();
  if (at === null || typeof at === 'string') throw new Error('a TCP server has a port');
  const transport = await connect(`127.0.0.1:${at.port}`);
  transports.push(transport);
  return transport;
}

test('lines: an answer is what comes until its last line, and an error is the device’s no', async () => {
  const device = createLines(
    await deviceThat((text) => (text.startsWith('*IDN?') ? 'ACME,1\r\nEND\r\n' : 'ERR 5\r\nEND\r\n')),
    { isLast: (line) => line === 'END', isError: (line) => line.startsWith('ERR') },
  );
  const [first, second] = await Promise.all([
    device.command('*IDN?', { timeoutMs: 30_000 }),
    device.command('VOLT 900', { timeoutMs: 30_000 }),
  ]);
  expect(first).toMatchObject({ state: 'acknowledged', lines: ['ACME,1', 'END'] });
  expect(second).toMatchObject({ state: 'failed', lines: ['ERR 5', 'END'] });
  await expect(device.emergencyStop()).rejects.toThrow('configure its bytes');
});

test('json-lines: answers are told from readings and from noise', async () => {
  const device = createProtocol(
    'json-lines',
    await deviceThat(() => '{"temperature":21.5}\n\xff\xfe\n{"ok":false,"error":"no"}\n'),
  );
  const events: DeviceEvent[] = [];
  device.onEvent((event) => events.push(event));
  expect(await device.command('{"set":1}', { timeoutMs: 30_000 })).toMatchObject({ state: 'failed' });
  expect(events[0]).toEqual({ kind: 'readings', readings: [{ name: 'temperature', value: 21.5 }] });
  expect(events[1]).toMatchObject({ kind: 'log' });
});

test('raw: bytes both ways', async () => {
  const device = createProtocol('raw', await deviceThat((text) => `${text}\xff`));
  expect(await device.command('01 a0', { timeoutMs: 30_000 })).toMatchObject({
    state: 'acknowledged',
    lines: ['01a0ff'],
  });
  await expect(device.command('xyz', { timeoutMs: 1_000 })).rejects.toThrow('hexadecimal');
});

test('a device that says nothing that is known has no protocol', async () => {
  expect(await detectProtocol(await deviceThat(() => undefined), 50)).toBeUndefined();
  expect(await detectProtocol(await deviceThat(() => 'hello\n'), 600)).toBe('lines');
});

test('a mock answers, and says that it is one', async () => {
  const transport = await connect('mock://demo');
  expect(transport.mocked).toBe(true);
  const device = createProtocol('marlin', transport);
  expect((await device.command('G28', { timeoutMs: 30_000 })).state).toBe('acknowledged');
  await transport.close();
  expect(await transport.ended).toEqual({ kind: 'closed' });
});

test('lines come whole from pieces of any size, and noise without an end does not pile up', () => {
  const lines: string[] = [];
  const push = createLineSplitter((line) => lines.push(line));
  for (const piece of ['o', 'k\r', '\nT:', '21', '\n\n']) push(Buffer.from(piece));
  expect(lines).toEqual(['ok', 'T:21']);
  for (let time = 0; time < 10; time++) push(Buffer.alloc(1_000, 0xff));
  expect(lines.length).toBeGreaterThan(2);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(10_000);
});

test('G-code is read with its lines and bytes, and refused at the line that cannot be sent', async () => {
  const read = async (...chunks: string[]) => {
    async function* source() {
      for (const chunk of chunks) yield Buffer.from(chunk, 'latin1');
    }
    const lines: GcodeLine[] = [];
    for await (const some of readGcode(source())) lines.push(...some);
    return lines;
  };
  expect(await read('; head\nG1 X', '1 ;c\r\n\n(a) G28\n', 'M2')).toEqual([
    { text: 'G1 X1', sourceLine: 2, endByte: 17 },
    { text: 'G28', sourceLine: 4, endByte: 26 },
    { text: 'M2', sourceLine: 5, endByte: 28 },
  ]);
  await expect(read('G1\nG1\u0000\n')).rejects.toThrow(
    'line 2 of the G-code cannot be sent: it holds the control',
  );
  await expect(read('G1\rM112\n')).rejects.toThrow('0xd');
  await expect(read(`G1 ${'X'.repeat(100)}\n`)).rejects.toThrow('103 characters');
  await expect(read('M110 N5\n')).rejects.toThrow('M110');
});
