import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { DEVICE_QUEUE } from '../../domain/myntrix/device-commands.ts';
import type { DeviceOrder, DeviceReport } from '../../domain/myntrix/device-reports.ts';
import type { WantedSettings } from '../../domain/myntrix/device-settings.ts';
import { openTransport } from '../../drivers/devices/open.ts';
import type { Transport } from '../../drivers/devices/port.ts';
import { createDeviceSessions } from '../../drivers/devices/sessions/sessions.ts';
import { openMock } from '../../drivers/devices/transports/mock.ts';
import { StaleOrder } from '../../drivers/workflows/stale-order.ts';
import { startSimulator } from '../simulators/start.ts';
import { until } from '../support/client.ts';
import { startLineDevice } from './line-device.ts';
import { means } from './protocol-cases.ts';

/** The host's registry alone, on transports that answer `ok`, or never. */
const folder = mkdtempSync(join(tmpdir(), 'vareon-sessions-'));
afterAll(() => rmSync(folder, { recursive: true }));

const opened: { written: string[]; isOpen: boolean }[] = [];
/** Keeps what was written, and says nothing on `silent`. */
function open(name: string): Transport {
  const transport = openMock({ transport: 'mock', name });
  const record = { written: [] as string[], isOpen: true };
  opened.push(record);
  const write = async (bytes: Uint8Array): Promise<void> => {
    record.written.push(Buffer.from(bytes).toString());
    if (name !== 'silent') await transport.write(bytes);
  };
  return {
    ...transport,
    write,
    overtake: write,
    async close() {
      record.isOpen = false;
      await transport.close();
    },
  };
}
const quiet = { readings() {}, log() {}, state() {} };
/** What the platform says of settings; nobody can be asked while there is nothing. */
let wanted: (() => Promise<WantedSettings | null>) | undefined;
const settings = {
  async wanted() {
    if (!wanted) throw new Error('the platform is away');
    return wanted();
  },
  tell: async (deviceId: string) => void settled.push(deviceId),
};
const settled: string[] = [];
const sessions = createDeviceSessions({
  folder,
  open: async (address, options) =>
    address.transport === 'mock' ? open(address.name) : openTransport(address, options),
  means: { ...means, settings },
  reporter: quiet,
});
afterAll(() => sessions.close());

beforeEach(() => {
  wanted = async () => null;
});
const never = new AbortController().signal;
const order = (id: string, epoch: number, name = 'fine'): DeviceOrder => ({
  ...{ id, epoch, name, type: 'lines', connectionString: `mock://${name}` },
  configuration: { emergencyBytes: '1821', reconnect: { initialMs: 10 } },
});
const told: DeviceReport[] = [];
sessions.onChange((report) => told.push(report));

/** Until a report says so, of those to come too. */
const untilTold = (done: (report: DeviceReport) => boolean): Promise<DeviceReport> =>
  new Promise((resolve) => {
    const past = told.find(done);
    if (past) return resolve(past);
    const forget = sessions.onChange((report) => {
      if (!done(report)) return;
      forget();
      resolve(report);
    });
  });
const isConnected = (id: string, epoch: number) =>
  untilTold((report) => report.id === id && report.epoch === epoch && report.status === 'connected');
const request = (deviceId: string, more: object = {}) => ({
  ...{ id: randomUUID(), deviceId, kind: 'command' as const, command: 'hi', timeoutMs: 60_000 },
  ...{ notAfter: Number.MAX_SAFE_INTEGER, ...more },
});

test('A host follows the newest order: one connection at a time, and older orders are refused', async () => {
  const id = randomUUID();
  const first = sessions.hold(order(id, 1), never);
  await isConnected(id, 1);
  const looking = new AbortController();
  const second = sessions.hold(order(id, 1), looking.signal); // looks on
  looking.abort(new Error('looked away'));
  await expect(second).rejects.toThrow('looked away');
  expect(sessions.of(id)).toBeDefined();
  const before = opened.length;
  void sessions.hold(order(id, 3), never);
  expect(await first).toEqual({ kind: 'disconnected' });
  await isConnected(id, 3);
  expect(opened.slice(before).map(({ isOpen }) => isOpen)).toEqual([true]);
  expect(opened[before - 1]?.isOpen).toBe(false);
  await expect(sessions.hold(order(id, 2), never)).rejects.toThrow(StaleOrder);
  await expect(sessions.release({ id, epoch: 2 })).rejects.toThrow(StaleOrder);
  await sessions.release({ id, epoch: 4 });
  expect([sessions.of(id), opened.at(-1)?.isOpen]).toEqual([undefined, false]);
  expect(await sessions.hold({ ...order(id, 5), connectionString: 'modem://x' }, never)).toMatchObject({
    kind: 'error',
    reason: expect.stringContaining('modem://'),
  });
});

test('What is asked is carried out once, in time or not at all, and a full queue takes no more', async () => {
  const id = randomUUID();
  void sessions.hold(order(id, 1), never);
  await isConnected(id, 1);
  const one = request(id);
  expect(await sessions.carryOut(one)).toMatchObject({ state: 'acknowledged', isSent: true, response: 'ok' });
  expect(await sessions.carryOut(one)).toMatchObject({ state: 'acknowledged' });
  expect(opened.at(-1)?.written).toEqual(['hi\n']);
  expect(sessions.unrecorded()).toMatchObject([{ id: one.id, isAgain: true }]);
  sessions.recorded([one.id]);
  expect(sessions.unrecorded()).toEqual([]);
  await sessions.carryOut(one);
  const late = { state: 'failed', isSent: false, sentAt: null };
  expect(await sessions.carryOut(request(id, { notAfter: sessions.clock() - 1 }))).toMatchObject(late);
  expect(await sessions.carryOut(request(randomUUID()))).toMatchObject({
    ...late,
    reason: 'The device is not connected.',
  });
  expect(opened.at(-1)?.written).toEqual(['hi\n']);

  const silent = randomUUID();
  void sessions.hold(order(silent, 1, 'silent'), never);
  await isConnected(silent, 1);
  const all = Array.from({ length: DEVICE_QUEUE }, () => sessions.carryOut(request(silent)));
  expect(await sessions.carryOut(request(silent))).toMatchObject({
    ...late,
    reason: expect.stringContaining('200'),
  });
  const stop = await sessions.carryOut(request(silent, { kind: 'emergency_stop' }));
  expect(stop).toMatchObject({ isSent: true, state: 'unknown' });
  const [sent, ...waiting] = await Promise.all(all);
  expect(sent).toMatchObject({
    state: 'unknown',
    isSent: true,
    reason: expect.stringContaining('emergency'),
  });
  expect(new Set(waiting.map(({ state, isSent }) => `${state} ${isSent}`))).toEqual(
    new Set(['failed false']),
  );
  const after = await untilTold((report) => report.id === silent && report.emergencyNote !== null);
  expect(after).toMatchObject({ status: 'connecting', emergencyNote: expect.stringContaining('was sent') });
});

test('Who has a device for themselves has it alone, and a port that is lent is free meanwhile', async () => {
  const id = randomUUID();
  void sessions.hold(order(id, 1), never);
  await isConnected(id, 1);
  const live = sessions.of(id);
  if (!live) throw new Error('it is connected');
  const done = Promise.withResolvers<void>();
  const held = live.hold('an upload', () => done.promise, { commands: 'refused' });
  await expect(live.hold('another', async () => {})).rejects.toThrow('busy with an upload');
  await expect(sessions.lend(id, 'a flasher', async () => {})).rejects.toThrow('busy with an upload');
  expect(await sessions.carryOut(request(id))).toMatchObject({
    isSent: false,
    reason: 'The device is busy with an upload.',
  });
  done.resolve();
  await held;
  const port = opened.at(-1);
  await sessions.lend(id, 'a flasher', async (address) => {
    expect([address, port?.isOpen]).toEqual([live.address, false]);
    expect(await live.ended).toMatchObject({ kind: 'lost', reason: expect.stringContaining('a flasher') });
    expect(await sessions.carryOut(request(id, { kind: 'emergency_stop' }))).toMatchObject({
      ...{ isSent: false, state: 'failed', reason: expect.stringContaining('a flasher') },
    });
    told.length = 0;
  });
  await isConnected(id, 1);
  expect(sessions.of(id)?.connection).not.toBe(live.connection);
});

test('Settings that could not be asked for at the connect wait until nobody has the device for themselves', async () => {
  const id = randomUUID();
  wanted = undefined;
  void sessions.hold(order(id, 1), never);
  await isConnected(id, 1);
  const port = opened.at(-1);
  const done = Promise.withResolvers<void>();
  const held = sessions.of(id)?.hold('an upload', () => done.promise, { commands: 'refused' });
  let asked = 0;
  wanted = async () => {
    asked += 1;
    return { settings: { volts: { set: 'VOLT {value}' } }, desired: { volts: 5 } };
  };
  await until(
    async () => asked,
    (count) => count > 1,
    60_000,
  );
  expect([port?.written, settled]).toEqual([[], []]);
  done.resolve();
  await held;
  await until(
    async () => settled,
    (told) => told.length > 0,
    60_000,
  );
  expect(port?.written).toEqual(['VOLT 5\n']);
  await untilTold(({ reason }) => reason === 'settings that are not as they are wanted: volts');
});

test('A device that starts anew is told its settings again, and what it does not take is said beside that', async () => {
  await using printer = await simulated();
  const id = randomUUID();
  wanted = async () => ({
    settings: { fan: { set: 'M106 S{value}' }, volts: { set: 'M9999 S{value}' } },
    desired: { fan: 5, volts: 5 },
  });
  void sessions.hold({ ...order(id, 1), type: 'marlin', connectionString: printer.address }, never);
  await isConnected(id, 1);
  const unset = 'settings that are not as they are wanted: volts, fan';
  await untilTold((report) => report.id === id && report.reason === unset);
  await printer.tell({ once: { reset: 0 } });
  await sessions.carryOut(request(id, { command: 'M114' }));
  const { reason } = await untilTold(
    (report) => report.id === id && /started anew.*not as they are wanted/.test(report.reason ?? ''),
  );
  expect(reason).toMatch(
    /^The device started anew at \S+: what it was told before is forgotten\.; settings /,
  );
  const { executed } = await printer.tell({});
  expect(executed.filter((line) => line === 'M106 S5')).toHaveLength(2);
  await sessions.release({ id, epoch: 2 });
});

test.each([
  ['marlin', { afterSeconds: 60 }, 'M85 S60'],
  ['grbl', { commands: ['M5'] }, 'M5'],
])(
  'A %s board that starts anew while nothing is asked of it is made safe again',
  async (type, hostLossSafety, sent) => {
    await using board = await simulated(type);
    const id = randomUUID();
    const one = { ...order(id, 1), type, connectionString: board.address };
    void sessions.hold({ ...one, configuration: { ...one.configuration, hostLossSafety } }, never);
    const { safety } = await isConnected(id, 1);
    expect(safety).toEqual({ onHostLoss: 'configured', detail: expect.stringContaining(sent) });
    for (const starts of [1, 2]) {
      await board.tell({ restart: true });
      await until(
        async () => (await board.tell({})).executed.filter((line) => line === sent).length,
        (count) => count === 1 + starts,
        60_000,
      );
    }
    await sessions.carryOut(request(id, { command: type === 'marlin' ? 'M114' : '$G' })); // what was asked before is answered
    const since = told.filter((report) => report.id === id && report.status === 'connected');
    expect(since.map((report) => report.safety)).toEqual(since.map(() => safety));
    expect(since.at(-1)?.reason).toMatch(
      /^The device started anew at \S+: what it was told before is forgotten\.$/,
    );
    await sessions.release({ id, epoch: 2 });
  },
);

test.each([2, 3, 4, 5])(
  'A printer that starts anew after %i lines of a new connection is made safe all the same',
  async (lines) => {
    await using printer = await simulated();
    await printer.tell({ once: { reset: lines } });
    const id = randomUUID();
    const one = { ...order(id, 1), type: 'marlin', connectionString: printer.address };
    const hostLossSafety = { afterSeconds: 60 };
    void sessions.hold({ ...one, configuration: { ...one.configuration, hostLossSafety } }, never);
    const isSafe = (report: DeviceReport) => report.id === id && report.safety?.onHostLoss === 'configured';
    await untilTold((report) => isSafe(report) && report.status === 'connected');
    const { faults } = await until(
      () => printer.tell({}),
      ({ executed: all }) => {
        const since = all.slice(all.lastIndexOf('M110 N0'));
        return ['M85 S60', 'M155 S1', 'M154 S1'].every((line) => since.includes(line));
      },
      60_000,
    );
    expect(faults.reset).toBe(1);
    await sessions.release({ id, epoch: 2 });
  },
);

test('An emergency stop that comes while a board says who it is ends that connection, and the next can be stopped', async () => {
  let asked = 0;
  const isAsked = Promise.withResolvers<void>();
  const board = await startLineDevice(false, (said) => {
    if (!said.includes('$I')) return 'ok';
    asked += 1;
    if (asked === 1) return "Grbl 1.1h ['$' for help]"; // started by being connected to, it has forgotten the question
    isAsked.resolve();
    return '[VER:1.1h.20190825:]\nok';
  });
  const id = randomUUID();
  const more = { type: 'grbl', connectionString: board.address };
  void sessions.hold({ ...order(id, 1), ...more }, never);
  await isAsked.promise;
  expect(await sessions.carryOut(request(id, { kind: 'emergency_stop' }))).toMatchObject({ isSent: true });
  const { emergencyNote } = await isConnected(id, 1);
  expect(emergencyNote).toMatch(/^An emergency stop was sent/);
  expect(board.connections).toBe(2);
  expect(await sessions.carryOut(request(id, { kind: 'emergency_stop' }))).toMatchObject({ isSent: true });
  await sessions.release({ id, epoch: 2 });
  await board.close();
});

async function simulated(kind = 'marlin') {
  const simulator = await startSimulator([kind, '--tcp', '0']);
  return { ...simulator, [Symbol.asyncDispose]: () => simulator.stop() };
}
