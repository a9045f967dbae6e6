import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { deviceOf } from './kills/device.ts';
import { type Platform, startPlatform } from './kills/platform.ts';
import { type RunningSimulator, startSimulator } from './simulators/start.ts';
import { until } from './support/client.ts';

/** A platform of its own, whose bus and API are killed while a printer with settings is connected. */
let platform: Platform;
let printer: RunningSimulator;
let device: Awaited<ReturnType<typeof deviceOf>>;
let settings: string;

beforeAll(async () => {
  platform = await startPlatform();
  printer = await startSimulator(['marlin', '--tcp', '0']);
  device = await deviceOf(platform, printer.address);
  const made = await platform.askPatiently('POST', '/api/neosyntis/devices', {
    body: { device_id: device.path.split('/').at(-1), desired: { 'M92 X': 81.5 } },
  });
  settings = `/api/neosyntis/devices/${made.body.id}`;
  expect((await platform.askPatiently('POST', `${settings}/apply`)).body).toMatchObject({ difference: [] });
});
afterAll(async () => {
  await printer?.stop();
  await platform?.close();
});

const executed = async (): Promise<string[]> => (await printer.tell({})).executed;
const times = async (text: string): Promise<number> =>
  (await executed()).filter((one) => one === text).length;
const stop = () => platform.ask('POST', `${device.path}/emergency-stop`);

describe('kill -9 of the bus while a device is connected', () => {
  test('leaves the connection as it is; nothing is sent meanwhile, and what was under way is known afterwards', async () => {
    const connects = await times('M115');
    await printer.tell({ pauseMs: 600_000 });
    const [asked] = await device.giveSlowly('M114');
    const killed = platform.kill('bus');
    const letGo = platform.holdBack('bus');
    await until(
      () => platform.ask('GET', '/ready'),
      (ready) => ready?.body?.bus !== 'ok',
      60_000,
    );
    // The device answers, and nobody hears of it.
    await printer.tell({ pauseMs: 0 });
    await until(() => times('M114'), Boolean, 60_000);
    const given = await device.give('M105');
    expect([given?.status, given?.text]).toEqual([503, expect.stringContaining('Nothing was sent')]);
    const stopped = await stop();
    expect([stopped?.status, stopped?.text]).toEqual([503, expect.stringContaining('NOT delivered')]);
    expect(await device.untilCommand(asked, ({ id }) => id === asked)).toMatchObject({ state: 'unknown' });
    letGo();
    await killed;

    await device.until(({ status }) => status === 'connected');
    expect(await device.untilCommand(asked, ({ state }) => state !== 'unknown')).toMatchObject({
      state: 'acknowledged',
      response: expect.stringContaining('X:'),
    });
    const again = await until(
      () => device.give('M105'),
      (answer) => answer?.status === 200,
      60_000,
    );
    expect(again?.body).toMatchObject({ state: 'acknowledged' });
    expect([await times('M114'), await times('M112'), await times('M115')]).toEqual([1, 0, connects]);
    expect((await device.until(({ status }) => status === 'connected')).interrupted).toBeNull();

    expect((await stop())?.body).toMatchObject({ delivered: true });
    expect(await until(() => times('M112'), Boolean, 60_000)).toBe(1);
    await printer.tell({ restart: true });
    await device.until(({ status, emergencyNote }) => status === 'connected' && emergencyNote);
    const stops = (await platform.ask('GET', `${device.path}/commands?limit=50`))?.body.filter(
      ({ kind }: { kind: string }) => kind === 'emergency_stop',
    );
    expect(stops).toMatchObject([
      { state: 'unknown', sentAt: expect.any(String) },
      { state: 'failed', sentAt: null },
    ]);
  }, 600_000);

  test('a bus that stands still makes a stop unknown, and what it gives on later is carried out once or not at all', async () => {
    await until(
      () => platform.ask('POST', `${device.path}/connect?wait=30`),
      (answer) => answer?.body?.status === 'connected' && answer.body.emergencyNote === null,
      60_000,
    );
    await printer.tell({ clear: true });
    platform.signalAll('bus', 'SIGSTOP');
    const [, stopped] = await Promise.all([device.give('G0 X9'), stop()]);
    platform.signalAll('bus', 'SIGCONT');
    // Whether its clients had noticed already is the moment's.
    expect([504, 503]).toContain(stopped?.status);
    let isRestarted = false;
    await until(
      async () => {
        // Once: it would not come to its first line, where each look starts it anew.
        if (!isRestarted && (await times('M112')) > 0) {
          isRestarted = true;
          await printer.tell({ restart: true });
        }
        return device.give('M105');
      },
      (answer) => answer?.body?.state === 'acknowledged',
      120_000,
    );
    expect(await times('M112')).toBeLessThanOrEqual(stopped?.status === 503 ? 0 : 1);
    const records = (await platform.ask('GET', `${device.path}/commands?limit=50`))?.body ?? [];
    const [move] = records.filter(({ command }: { command: string }) => command === 'G0 X9');
    const most = { acknowledged: [1], unknown: [0, 1] }[move?.state as 'acknowledged' | 'unknown'] ?? [0];
    expect(most).toContain(await times('G0 X9'));
  }, 600_000);
});

describe('kill -9 of the API', () => {
  test('loses nothing of a device’s settings: what it said is known later, and what it forgot is written then', async () => {
    await until(
      () => platform.ask('POST', `${device.path}/connect?wait=30`),
      (answer) => answer?.body?.status === 'connected' && answer.body.emergencyNote === null,
      60_000,
    );
    const read = async () => (await platform.ask('GET', settings))?.body ?? {};
    // What somebody asked the device, and lost the answer to; the same text as no other command.
    await until(
      () => device.give('M92 X77'),
      (answer) => answer?.body?.state === 'acknowledged',
      60_000,
    );
    await printer.tell({ pauseMs: 3_000 });
    const [asked] = await device.giveSlowly('M503 S1');
    await platform.kill('api');
    expect(await device.untilCommand(asked, ({ state }) => state !== 'unknown')).toMatchObject({
      state: 'acknowledged',
      response: expect.stringContaining('M92 X77.00'),
    });
    const heard = await until(read, ({ reported }) => reported?.['M92 X'] === 77, 120_000);
    expect(heard.difference).toEqual([{ name: 'M92 X', desired: 81.5, reported: 77, reason: null }]);

    await printer.tell({ clear: true });
    const killed = platform.kill('api');
    const letGo = platform.holdBack('api');
    await printer.tell({ disconnect: true });
    // Its host connects all the same, and has nobody to ask what the device is to be set to.
    await until(
      () => times('M155 S1'),
      (count) => count > 0,
      120_000,
    );
    expect(await times('M92 X81.5')).toBe(0);
    letGo();
    await killed;
    await until(read, ({ difference }) => difference?.length === 0, 120_000);
    expect(await times('M92 X81.5')).toBe(1);
    await device.until(({ status }) => status === 'connected');
  }, 600_000);
});
