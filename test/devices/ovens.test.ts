import { createServer } from 'node:net';
import { afterAll, expect, test } from '@jest/globals';
import { parseDeviceAddress } from '../../domain/myntrix/device-address.ts';
import { readMessageSettings } from '../../domain/myntrix/device-connection.ts';
import type { OpenDevice } from '../../drivers/devices/connection.ts';
import { openMessages } from '../../drivers/devices/open-messages.ts';
import type { DeviceEvent } from '../../drivers/devices/protocols/port.ts';
import { createOutboundClient } from '../../drivers/outbound/client.ts';
import { type RunningSimulator, startSimulator } from '../simulators/start.ts';
import { until } from '../support/client.ts';
import { means, openOven, ovenRegisters } from './protocol-cases.ts';

/** What was started in a test, ended after all of them. */
const ends: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});
const WITHIN_MS = 30_000;

async function start(...args: string[]): Promise<RunningSimulator> {
  const simulator = await startSimulator(args);
  ends.push(simulator.stop);
  return simulator;
}

async function open(address: string, configuration: Record<string, unknown>, timeoutMs?: number) {
  const opened = await openOven(address, configuration, timeoutMs);
  ends.push(opened.transport.close);
  const events: DeviceEvent[] = [];
  opened.protocol.onEvent((event) => events.push(event));
  return { ...opened, events };
}

const command = ({ protocol }: OpenDevice, text: string) => protocol.command(text, { timeoutMs: WITHIN_MS });
const reading = (events: DeviceEvent[], name: string): number | undefined =>
  events
    .flatMap((event) => (event.kind === 'readings' ? event.readings : []))
    .findLast((each) => each.name === name)?.value;
const readings = (events: DeviceEvent[], name: string, done: (value: number) => boolean) =>
  until(
    async () => reading(events, name),
    (value) => value !== undefined && done(value),
    WITHIN_MS,
  );

test('mqtt: topics of the URL, readings by their topics, and an answer that was retained answers nothing', async () => {
  const simulator = await start('mqtt', '--speed', '100');
  await simulator.tell({ say: 'answer {"ok":false,"error":"of yesterday"}' });
  const oven = await open(simulator.address, {});
  expect(await command(oven, '{"set":{"target":80,"running":1}}')).toMatchObject({
    state: 'acknowledged',
    lines: ['{"ok":true}'],
  });
  await readings(oven.events, 'bed.target', (value) => value === 80);
  await readings(oven.events, 'bed.temperature', (value) => value > 60);
  await simulator.tell({ say: 'telemetry/door open' });
  await until(
    async () => oven.events,
    (all) => all.some((event) => event.kind === 'log' && event.line === 'lab/oven/telemetry/door open'),
    WITHIN_MS,
  );
  // No JSON, and not an answer that says no: the device said something.
  await simulator.tell({ once: { noise: 0 } });
  expect((await command(oven, '{"get":"target"}')).state).toBe('acknowledged');
  expect(await command(oven, 'nonsense')).toMatchObject({
    state: 'failed',
    reason: expect.stringContaining('not a command'),
  });
});

test('mqtt: a device that says it is away is not connected, and neither is one without a word', async () => {
  const simulator = await start('mqtt');
  const availability = { topic: 'lab/oven/availability', online: 'online', offline: 'offline' };
  const oven = await open(simulator.address, { mqtt: { availability } });
  await simulator.tell({ say: 'availability offline' });
  expect(await oven.transport.ended).toEqual({
    kind: 'lost',
    reason: 'the device says on lab/oven/availability that it is offline',
  });
  await expect(open(simulator.address, { mqtt: { availability } }, 1_500)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining(
      'the device is not there: on lab/oven/availability it says "offline", and not "online"',
    ),
  });
  await expect(
    open(simulator.address, { mqtt: { availability: { ...availability, topic: 'lab/other' } } }, 1_500),
  ).rejects.toThrow('says nothing');
  const back = open(simulator.address, { mqtt: { availability } });
  await simulator.tell({ say: 'availability online' });
  expect((await command(await back, '{"get":"target"}')).state).toBe('acknowledged');
});

test('mqtt: without an answer topic each command is unknown, and the wrong password or topic is told', async () => {
  const simulator = await start('mqtt', '--login', 'lab:hot');
  const login = { username: 'lab', passwordSecret: 'oven_password' };
  const silent = await open(simulator.address, { mqtt: { ...login, answerTopic: null } });
  expect(await command(silent, '{"set":{"target":33}}')).toMatchObject({
    state: 'unknown',
    reason: 'the broker has it; the device answers nothing',
  });
  await until(
    () => simulator.tell({}),
    ({ executed }) => executed.includes('target=33'),
    WITHIN_MS,
  );
  await expect(
    open(simulator.address, { mqtt: { username: 'lab', passwordSecret: 'no_such' } }),
  ).rejects.toThrow('no secret no_such');
  const wrong = open(simulator.address, { mqtt: { username: 'lab' } });
  await expect(wrong).rejects.toThrow(/not authorized|bad user/i);
  await expect(wrong).rejects.not.toThrow('hot');
  await expect(
    open(simulator.address, { mqtt: { ...login, telemetryTopics: ['secret/x'] } }),
  ).rejects.toThrow('the broker refuses secret/x');
});

test('mqtt: a message that would not fit is not gathered: the connection ends', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(Buffer.from([0x20, 2, 0, 0])); // connected
      socket.on('data', () => socket.write(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]))); // 256 MB follow
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(async () => server.close());
  const at = server.address();
  await expect(
    openOven(`mqtt://127.0.0.1:${typeof at === 'object' ? at?.port : ''}/lab`, {}, 2_000),
  ).rejects.toMatchObject({ code: 'unavailable' });
});

test('modbus: registers of every kind are read, scaled, written and polled, and exceptions have their meaning', async () => {
  const simulator = await start('modbus', '--speed', '100');
  const oven = await open(simulator.address, { registers: ovenRegisters });
  expect(await command(oven, 'write target 61.5')).toMatchObject({ state: 'acknowledged' });
  expect(await command(oven, 'write running on')).toMatchObject({ state: 'acknowledged' });
  expect(await command(oven, 'write speed 200')).toMatchObject({ state: 'acknowledged' });
  expect(await command(oven, 'read speed running target')).toMatchObject({
    lines: ['speed=200', 'running=1', 'target=61.5'],
  });
  await readings(oven.events, 'temperature', (value) => value > 60 && value < 62);
  await readings(oven.events, 'wanted', (value) => value === 62);
  await readings(oven.events, 'hot', (value) => value === 1);
  expect(await command(oven, 'read missing')).toMatchObject({
    state: 'failed',
    reason: 'exception 2: the device has no such address',
  });
  expect(await command(oven, 'write target 900')).toMatchObject({
    state: 'failed',
    reason: 'exception 3: the device does not take this value',
  });
  for (const [text, why] of [
    ['write temperature 3', 'is an input register'],
    ['write speed 70000', 'from 0 to 65535'],
    ['write speed 1.5', 'a multiple of 1'],
    ['write running 2', 'to be 0 or 1'],
    ['write nothing 1', 'there is no register "nothing" in configuration.registers (target, speed'],
    ['erase', 'neither "read <name>'],
  ] as const)
    await expect(command(oven, text)).rejects.toThrow(why);
});

test('modbus: a write whose answer is lost is unknown and was sent once; what is not Modbus ends the connection', async () => {
  const simulator = await start('modbus');
  const oven = await open(simulator.address, { registers: ovenRegisters, modbus: { timeoutMs: 1_500 } });
  await simulator.tell({ once: { 'lose-ok': 0 } });
  // One that is asked for its registers all the time: it is not lost by a single one.
  await until(
    () => simulator.tell({}),
    ({ faults }) => faults['lose-ok'] === 1,
    WITHIN_MS,
  );
  const quiet = await openOven(simulator.address, {
    registers: { speed: ovenRegisters.speed },
    modbus: { timeoutMs: 1_500 },
  });
  ends.push(quiet.transport.close);
  await simulator.tell({ clear: true, rates: { 'lose-ok': 1 } });
  expect(await command(quiet, 'write speed 7')).toMatchObject({
    state: 'unknown',
    reason: expect.stringContaining('no answer'),
  });
  expect(await command(quiet, 'read speed')).toMatchObject({
    state: 'failed',
    reason: expect.stringContaining('no answer'),
  });
  expect(await oven.transport.ended).toEqual({
    kind: 'lost',
    reason: 'the device did not answer 3 requests in a row',
  });
  await simulator.tell({ rates: { 'lose-ok': 0 } });
  expect(await command(quiet, 'read speed')).toMatchObject({ lines: ['speed=7'] });
  expect((await simulator.tell({})).executed.filter((line) => line === 'speed=7')).toHaveLength(1);
  await simulator.tell({ once: { noise: 0 } });
  expect((await command(quiet, 'write speed 8')).state).toBe('unknown');
  expect(await quiet.transport.ended).toMatchObject({
    kind: 'lost',
    reason: expect.stringContaining('what is not Modbus'),
  });
});

test('http: named and configured requests, polled readings, and answers that say no or nothing', async () => {
  const simulator = await start('http', '--speed', '100', '--login', 'lab:hot');
  const http = {
    path: '/command',
    username: 'lab',
    passwordSecret: 'oven_password',
    alive: { path: '/', everyMs: 500 },
    poll: [
      {
        path: '/status',
        everyMs: 100,
        readings: { bed: '/oven/temperature', on: '/oven/running', odd: '/oven/odd' },
      },
    ],
  };
  const oven = await open(simulator.address, { http });
  expect(await command(oven, '{"set":{"target":70,"running":1}}')).toMatchObject({
    state: 'acknowledged',
    lines: ['{"ok":true}'],
  });
  await readings(oven.events, 'bed', (value) => value > 60);
  await readings(oven.events, 'on', (value) => value === 1);
  expect(oven.events.filter((event) => event.kind === 'log')).toEqual([
    { kind: 'log', line: 'the answer to /status holds no number for odd' },
  ]);
  expect(await command(oven, 'GET /info')).toMatchObject({
    state: 'acknowledged',
    lines: [expect.stringContaining('1.4.2')],
  });
  expect(await command(oven, 'GET /nowhere')).toMatchObject({
    state: 'failed',
    reason: expect.stringContaining('404'),
  });
  expect(await command(oven, 'GET /moved')).toMatchObject({
    state: 'failed',
    reason: expect.stringContaining('redirects are not followed'),
  });
  expect(await command(oven, '{"bad":1}')).toMatchObject({
    state: 'failed',
    reason: expect.stringContaining('not a command'),
  });
  await expect(command(oven, 'GET /a#b')).rejects.toThrow('is not one below');
  const below = await open(`${simulator.address}/api`, { http: { ...http, poll: [], alive: { path: '/' } } });
  for (const path of ['/../status', '/%2e%2e/status', '/a/../../status'])
    await expect(command(below, `GET ${path}`)).rejects.toThrow('is not one below');
  await simulator.tell({ once: { 'lose-ok': 0 } });
  expect((await oven.protocol.command('PUT /target {"value":41}', { timeoutMs: 300 })).state).toBe('unknown');
  await simulator.tell({ once: { disconnect: 0 } });
  expect((await command(oven, 'PUT /target {"value":42}')).state).toBe('unknown');
  await simulator.tell({ once: { noise: 0 } });
  expect((await command(oven, 'PUT /target {"value":43}')).state).toBe('unknown');
  const { executed } = await simulator.tell({});
  expect(executed.filter((line) => /target=4[123]/.test(line))).toEqual([
    'target=41',
    'target=42',
    'target=43',
  ]);
});

test('http: an address that the host may not reach is not asked, and a device that goes away is lost', async () => {
  const simulator = await start('http');
  const address = parseDeviceAddress(simulator.address);
  const guarded = { ...means, createOutbound: () => createOutboundClient({ allow: [], userAgent: 'test' }) };
  const options = { signal: new AbortController().signal, timeoutMs: 5_000, onHeard: () => {} };
  await expect(openMessages({ id: 'oven', configuration: {} }, address, options, guarded)).rejects.toThrow(
    'VAREON_OUTBOUND_ALLOW',
  );
  const oven = await open(simulator.address, { http: { alive: { path: '/', everyMs: 500 } } });
  await simulator.tell({ disconnect: true });
  expect(await oven.transport.ended).toMatchObject({
    kind: 'lost',
    reason: expect.stringContaining('does not answer any more'),
  });
});

test('what cannot be spoken to is refused with what is wrong and what would be right', () => {
  const problem = (connectionString: string, configuration: Record<string, unknown>): string => {
    try {
      readMessageSettings(parseDeviceAddress(connectionString), configuration);
      return 'nothing';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
  for (const [connectionString, configuration, what] of [
    ['mqtt://broker', {}, 'needs a topic for commands'],
    ['mqtt://broker/lab/+', {}, '+ or #, which are wildcards'],
    ['mqtt://broker/lab', { mqtt: { commandTopic: 'a/#' } }, '+ or #, which are wildcards'],
    ['mqtt://broker/lab', { mqtt: { will: { topic: 'a/+', payload: '' } } }, '+ or #, which are wildcards'],
    ['mqtt://broker/lab', { mqtt: { telemetryTopics: ['a/b#'] } }, 'no topic filter'],
    ['mqtt://broker/lab', { mqtt: { telemetryTopics: ['a/+/#'] } }, 'nothing'],
    ['mqtt://broker/lab', { mqtt: { commandTopic: '$SYS/x' } }, 'begins with $'],
    ['mqtt://broker/lab', { mqtt: { password: 'x' } }, 'configuration/mqtt'],
    ['mqtt://broker/lab', { mqtt: { passwordSecret: 'x' } }, 'needs mqtt.username'],
    ['modbus-tcp://plc?unit=300', {}, 'units are from 0 to 255'],
    ['modbus-tcp://plc?speed=1', {}, 'its option speed is not known'],
    ['modbus-tcp://plc/x', {}, 'has no path'],
    ['modbus-tcp://plc', { registers: { a: { kind: 'coil', address: 1, type: 'int16' } } }, 'is one bit'],
    [
      'modbus-tcp://plc',
      { registers: { a: { kind: 'holding', address: 65535, type: 'int32' } } },
      'beyond the last address',
    ],
    [
      'modbus-tcp://plc',
      { registers: { 'a b': { kind: 'holding', address: 1 } } },
      'configuration/registers',
    ],
    ['http://oven?x=1', {}, 'has no query'],
    ['http://oven', { http: { headers: { authorization: 'x' } } }, 'give it in http.secretHeaders'],
    ['http://oven', { http: { headers: { host: 'x' } } }, 'cannot be set'],
    ['https://oven/api', { http: { path: '/a', method: 'PUT' } }, 'nothing'],
  ] as const)
    expect([connectionString, configuration, problem(connectionString, configuration)]).toEqual([
      connectionString,
      configuration,
      expect.stringContaining(what),
    ]);
});
