import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pruneDeviceLines } from '../../db/myntrix/device-lines.ts';
import { openDatabase } from '../../db/orm.ts';
import { prunePiece } from '../../db/system/retention.ts';
import type { HostTelemetry } from '../../domain/myntrix/host-telemetry.ts';
import { topics } from '../../domain/names.ts';
import { createDeviceReporter } from '../../drivers/devices/reporter.ts';
import { createLogger } from '../../logs.ts';
import { until } from '../support/client.ts';
import { type FakeHost, joinAsHost } from '../support/fake-host.ts';
import type { Frame, TestSocket } from '../support/socket.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

let world: World;
let viewer: TestUser;
let host: FakeHost;
const sockets: { close(): void }[] = [];

beforeAll(async () => {
  world = await enterWorld('sql');
  viewer = await world.newUser('viewer');
  host = await joinAsHost(world);
});
afterAll(async () => {
  for (const socket of sockets) socket.close();
  await host.close();
  await world.close();
});

async function watch(deviceId: string, query = ''): Promise<TestSocket> {
  const socket = await world.watch(viewer, `/ws/myntrix/telemetry/${deviceId}${query}`);
  sockets.push(socket);
  // What is told before it is heard is not told again.
  if (query === '') await socket.next(({ type }) => type === 'snapshot');
  return socket;
}

const valuesOf = (frames: Frame[]): number[] =>
  frames.flatMap(({ readings = [] }) => readings.map(({ value }: { value: number }) => value));

async function stored(deviceId: string, metric: string, more = ''): Promise<Frame[]> {
  const path = `/api/neosyntis/telemetry?metric_name=${metric}&device_id=${deviceId}&limit=5000${more}`;
  return expectStatus(200, world.api('GET', path, { token: viewer.token }));
}

/** A socket that sends as well. */
async function gateway(user: TestUser, deviceId: string) {
  const socket = await world.watch(user, `/ws/myntrix/telemetry/${deviceId}`);
  sockets.push(socket);
  await socket.next(({ type }) => type === 'snapshot');
  return {
    frames: socket.frames,
    async ask(message: object, answers: (frame: Frame) => boolean): Promise<Frame> {
      const before = socket.frames.length;
      socket.send(message);
      return socket.next((frame) => socket.frames.indexOf(frame) >= before && answers(frame));
    },
  };
}

test('what a device says on its host is told to all who watch, in order, and is stored for all who may read', async () => {
  const device = await host.newDevice();
  const reporter = createDeviceReporter();
  reporter.connect({ bus: host.bus, host: host.name, generation: 0 });
  const [a, b] = [await watch(device), await watch(device)];
  const { seq } = await a.next(({ type }) => type === 'snapshot');
  expect(a.frames[0]).toMatchObject({ device: { id: device, status: 'disconnected' }, latest: {} });
  for (let n = 0; n < 500; n++) {
    reporter.readings(device, [{ metric: 'T', value: n }]);
    if (n % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  reporter.log(device, { direction: 'out', level: 'info', line: 'M105' });
  reporter.state(device, { status: 'connected', activity: 'busy' });
  for (const socket of [a, b]) {
    expect(await socket.next(({ type }) => type === 'log')).toMatchObject({
      direction: 'out',
      level: 'info',
      line: 'M105',
    });
    expect(await socket.next(({ type }) => type === 'state')).toMatchObject({
      status: 'connected',
      activity: 'busy',
    });
    expect(valuesOf(socket.frames)).toEqual(Array.from({ length: 500 }, (_, n) => n));
    expect(socket.frames.map((frame) => frame.seq)).toEqual(
      Array.from(socket.frames, (_, at) => (socket.frames[0]?.seq ?? 0) + at),
    );
  }
  // Comes again, and misses and repeats nothing.
  const again = await watch(device, `?after=${seq + 1}`);
  await again.next(({ type }) => type === 'state');
  expect(again.frames).toEqual(a.frames.slice(2));

  const kept = await until(
    () => stored(device, 'T'),
    (list) => list.length === 500,
    60_000,
  );
  expect(kept.map(({ value }) => value)).toEqual(Array.from({ length: 500 }, (_, n) => n));
  await until(
    () => world.sql<{ last_seen: Date | null }>('select last_seen from devices where id = ?', [device]),
    ([row]) => row?.last_seen != null, // written after the readings
    60_000,
  );
  const fresh = await until(
    async () => (await watch(device)).next(({ type }) => type === 'snapshot'),
    ({ latest }) => latest.T?.value === 499,
    60_000,
  );
  expect(fresh.latest).toEqual({ T: { value: 499, timestamp: expect.any(String) } });
  reporter.close();
});

test('a client gets what it subscribes to, at most as often as it says', async () => {
  const device = await host.newDevice();
  const reporter = createDeviceReporter();
  reporter.connect({ bus: host.bus, host: host.name, generation: 0 });
  const client = await gateway(viewer, device);
  const snapshot = await client.ask(
    { type: 'subscribe', metrics: ['T'], max_hz: 10, logs: false },
    ({ type }) => type === 'snapshot',
  );
  const beganAt = performance.now();
  for (let n = 0; n < 60; n++) {
    reporter.readings(device, [
      { metric: 'T', value: n },
      { metric: 'B', value: n },
    ]);
    reporter.log(device, { direction: 'in', level: 'info', line: `ok ${n}` });
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await until(
    async () => valuesOf(client.frames),
    (values) => values.includes(59),
    60_000,
  );
  const told = client.frames.filter(({ type }) => type === 'telemetry');
  expect(told.length).toBeLessThanOrEqual(((performance.now() - beganAt) / 1_000) * 10 + 2);
  expect(told.every(({ readings }) => readings.length === 1 && readings[0].metric === 'T')).toBe(true);
  expect(client.frames.some(({ type }) => type === 'log')).toBe(false);
  let last = snapshot.seq;
  for (const frame of told) {
    expect(frame.from_seq).toBe(last + 1);
    last = frame.to_seq;
  }
  for (const wrong of [['no object'], { type: 'subscribe', max_hz: 0 }, { type: 'dance' }])
    expect(await client.ask(wrong, ({ type }) => type === 'error')).toMatchObject({
      code: expect.stringMatching(/^(bad_request|invalid)$/),
    });
  reporter.close();
});

test('a host says things of its own devices only, and in its own life only', async () => {
  const other = await joinAsHost(world);
  const device = await other.newDevice();
  const socket = await watch(device);
  await socket.next(({ type }) => type === 'snapshot');
  const message = (generation: number, value: number): HostTelemetry => ({
    generation,
    epoch: Date.now(),
    seq: 1,
    devices: [{ id: device, metrics: ['T'], from: Date.now() * 1_000, of: [0], steps: [0], values: [value] }],
  });
  host.bus.publish(topics.hostTelemetry(host.name), message(0, 1));
  host.bus.publish(topics.hostTelemetry(other.name), message(0, 2)); // the broker does not let it
  other.bus.publish(topics.hostTelemetry(other.name), { ...message(7, 3), epoch: 1 });
  other.bus.publish(topics.hostTelemetry(other.name), { nonsense: true });
  other.bus.publish(topics.hostTelemetry(other.name), { ...message(0, 4), epoch: 2 });
  await until(
    () => stored(device, 'T'),
    (list) => list.length > 0,
    60_000,
  );
  expect((await stored(device, 'T')).map(({ value }) => value)).toEqual([4]);
  expect(valuesOf(socket.frames)).not.toContain(1);
  expect(valuesOf(socket.frames)).not.toContain(2);
  await other.close();
  expect(await socket.closed).toEqual({ code: 1000, reason: 'the device was deleted' });
});

test('a gap on the bus is shown as a fresh snapshot', async () => {
  const device = await host.newDevice();
  const socket = await watch(device);
  await socket.next(({ type }) => type === 'snapshot');
  const epoch = Date.now();
  // Acknowledged: the test before was refused something, and the broker ends a connection for that.
  const send = (seq: number, value: number) =>
    host.bus.publishAcknowledged(topics.hostTelemetry(host.name), {
      ...{ generation: 0, epoch, seq },
      devices: [
        { id: device, metrics: ['T'], from: (epoch + seq) * 1_000, of: [0], steps: [0], values: [value] },
      ],
    });
  for (const seq of [1, 2, 2, 5]) await send(seq, seq);
  await socket.next(({ gap }) => gap === true);
  await until(
    async () => valuesOf(socket.frames),
    (values) => values.includes(5),
    60_000,
  );
  expect(valuesOf(socket.frames)).toEqual([1, 2, 5]);
});

test('a gateway whose token may send telemetry does so on the same socket: stored, told to others, wrong rows named', async () => {
  const operator = await world.newUser('operator');
  const { token } = await expectStatus(
    201,
    world.api('POST', '/api/api-tokens', {
      token: operator.token,
      body: { name: 'gateway', permissions: ['myntrix:devices:read', 'myntrix:telemetry:write'] },
    }),
  );
  const device = await host.newDevice();
  const watching = await watch(device);
  const client = await gateway({ ...operator, token }, device);
  const timestamp = new Date(Date.now() - 60_000).toISOString();
  const readings = [
    { metric: 'T', value: 21.5, timestamp },
    { metric: 'T', value: 22 },
    { metric: 'T', value: 'hot' },
    { metric: 'no good', value: 1 },
    { metric: 'T', value: 1, timestamp: 'yesterday' },
    { metric: 'T', value: 1, colour: 'red' },
  ];
  const answer = await client.ask({ type: 'telemetry', readings }, ({ type }) => type === 'stored');
  expect(answer).toMatchObject({ accepted: 2, duplicates: 0 });
  expect(answer.rejected.map(({ row }: { row: number }) => row)).toEqual([2, 3, 4, 5]);
  expect((await stored(device, 'T')).map(({ value }) => value)).toEqual([21.5, 22]);
  await until(
    async () => valuesOf(watching.frames),
    (values) => values.length === 2,
    60_000,
  );
  expect(valuesOf(watching.frames)).toEqual([21.5, 22]);
  expect(
    await client.ask({ type: 'telemetry', readings: readings.slice(0, 1) }, ({ type }) => type === 'stored'),
  ).toMatchObject({ accepted: 0, duplicates: 1, rejected: [] });
  expect(
    await client.ask({ type: 'telemetry', readings: Array(1_001).fill({}) }, ({ type }) => type === 'error'),
  ).toMatchObject({ code: 'invalid' });
  const reader = await gateway(viewer, device);
  expect(await reader.ask({ type: 'telemetry', readings: [] }, ({ type }) => type === 'error')).toMatchObject(
    {
      code: 'forbidden',
    },
  );
});

test('a run waits until what a device measures has held for long enough, by readings without a gap', async () => {
  const operator = await world.newUser('operator');
  const device = await host.newDevice();
  const start = async (more: object) => {
    const id = await world.newWorkflow(operator, [
      {
        warm: {
          call: 'telemetry.wait_for',
          with: { device, metric: 'B', condition: '>=', value: 60, ...more },
        },
      },
    ]);
    const path = `/api/neosyntis/workflows/${id}/trigger`;
    const sent = { token: operator.token, body: {} };
    return (await expectStatus(202, world.api('POST', path, sent))).run_id as string;
  };
  const [warm, never, gone] = [
    await start({ for: 'PT3S', max_gap: 'PT2S' }),
    await start({ condition: '>', value: 1_000, timeout: 'PT1S' }),
    await start({ device: 'nobody has this device' }),
  ];
  const failed = async (runId: string) =>
    (await world.untilRun(operator, runId, ({ status }) => status === 'failed')).error.detail;
  expect(await failed(gone)).toContain('There is no device "nobody has this device"');
  await world.untilRun(operator, warm, ({ steps }) => steps[0]?.status === 'running');
  // The device's own times count, however fast its readings come; all are after the wait has begun.
  const began = Date.now() + 60_000;
  const reporter = createDeviceReporter();
  reporter.connect({ bus: host.bus, host: host.name, generation: 0 });
  const say = (second: number, value: number) =>
    reporter.readings(device, [{ metric: 'B', value, timestamp: new Date(began + second * 1_000) }]);
  for (const second of [0, 1, 2]) say(second, 61); // then a silence
  for (const second of [10, 11, 12]) say(second, 62);
  say(12.5, 59);
  for (const second of [20, 21, 22, 23, 24]) say(second, 63);
  const run = await world.untilRun(operator, warm, ({ status }) => ['completed', 'failed'].includes(status));
  expect(run.output).toEqual({
    device_id: device,
    metric: 'B',
    value: 63,
    timestamp: new Date(began + 23_000).toISOString(),
    held_since: new Date(began + 20_000).toISOString(),
    readings: 11,
  });
  expect(await failed(never)).toContain('did not hold for long enough within 1 s');
  reporter.close();
});

test('who comes later, or again, sees what a device said last, also what nobody watched', async () => {
  const device = await host.newDevice();
  const reporter = createDeviceReporter();
  reporter.connect({ bus: host.bus, host: host.name, generation: 0 });
  for (let n = 0; n < 350; n++) reporter.log(device, { direction: 'in', level: 'info', line: `line ${n}` });
  reporter.log(device, { direction: 'out', level: 'info', line: 'M115' });
  const wanted = [...Array.from({ length: 299 }, (_, n) => `line ${n + 51}`), 'M115'];
  const kept = () =>
    world.sql<{ line: string }>(
      'select line from device_lines where device_id = ? order by at, epoch, seq, n',
      [device],
    );
  await until(kept, (list) => list.at(-1)?.line === 'M115', 60_000);
  expect((await kept()).map(({ line }) => line)).toEqual(wanted);
  const { logs } = await (await watch(device)).next(({ type }) => type === 'snapshot');
  expect(logs.map(({ line }: { line: string }) => line)).toEqual(wanted);
  expect(logs.at(-1)).toEqual({
    ...{ direction: 'out', level: 'info', line: 'M115' },
    timestamp: expect.any(String),
  });
  reporter.log(device, { direction: 'in', level: 'warn', line: 'live' });
  const again = await until(
    async () => (await watch(device)).next(({ type }) => type === 'snapshot'),
    (frame) => frame.logs.at(-1)?.line === 'live',
    60_000,
  );
  expect(again.logs).toHaveLength(300);
  reporter.close();
});

test('a line that came just before somebody watched, or that the bus lost, is told once it is stored', async () => {
  const device = await host.newDevice();
  const socket = await watch(device);
  await socket.next(({ type }) => type === 'snapshot');
  // As a platform worker stores what this API never heard.
  await world.sql(
    `insert into device_lines (device_id, at, epoch, seq, n, direction, level, line)
     values (?, ?, 7, 1, 0, 'in', 'info', 'start')`,
    [device, Date.now()],
  );
  expect(await socket.next(({ type }) => type === 'log')).toMatchObject({ line: 'start', level: 'info' });
});

test('lines of a device are its own host’s, and go with their retention', async () => {
  const device = await host.newDevice();
  const other = await joinAsHost(world);
  const say = (from: FakeHost, seq: number, line: string, at = Date.now()) =>
    from.bus.publish(topics.hostTelemetry(from.name), {
      ...{ generation: 0, epoch: 11, seq },
      devices: [
        {
          ...{ id: device, metrics: [], from: 0, of: [], steps: [], values: [] },
          logs: [{ direction: 'in', level: 'info', line, at }],
        },
      ],
    });
  say(other, 1, 'foreign');
  say(host, 1, 'old', Date.now() - 40 * 86_400_000);
  say(host, 2, 'own');
  const kept = async () =>
    (
      await world.sql<{ line: string }>('select line from device_lines where device_id = ? order by at', [
        device,
      ])
    ).map(({ line }) => line);
  await until(kept, (list) => list.includes('own') && list.includes('old'), 60_000);
  expect(await kept()).toEqual(['old', 'own']);
  const log = createLogger('test', 'silent');
  const { databaseUrl } = testStack();
  const database = await openDatabase({ databaseUrl, poolSize: 2, connectWithinMs: 60_000, log });
  try {
    await until(
      async () => {
        await prunePiece(database, 'device_lines', (tx) => pruneDeviceLines(tx, 30));
        return kept();
      },
      (list) => list.length === 1,
      60_000,
    );
  } finally {
    await database.close();
  }
  expect(await kept()).toEqual(['own']);
  await other.close();
});
