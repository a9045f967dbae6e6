import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { keepSimulators } from '../simulators/kept.ts';
import type { RunningSimulator } from '../simulators/start.ts';
import { until } from '../support/client.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
const simulators = keepSimulators();
beforeAll(async () => {
  world = await enterWorld('sql', 'temporal');
  user = await world.newUser('operator');
});
afterAll(async () => {
  await simulators.stopAll();
  await world.close();
});

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
type Answer = Record<string, any>;
const base = '/api/neosyntis/devices';
const ask = (method: string, path: string, body?: object) =>
  world.api(method, path, { token: user.token, ...(body ? { body } : {}) });
const settingsOf = async (id: string): Promise<Answer> => (await ask('GET', `${base}/${id}`)).body;

async function device(...args: string[]): Promise<Answer & { simulator: RunningSimulator }> {
  const simulator = await simulators.start(...args);
  const made = await expectStatus(
    201,
    ask('POST', '/api/myntrix/devices', { name: 'set', type: args[0], connectionString: simulator.address }),
  );
  return { ...made, simulator };
}
const connect = (id: string): Promise<Answer> =>
  expectStatus(202, ask('POST', `/api/myntrix/devices/${id}/connect?wait=60`));

test('a controller is brought to its settings when it is connected, and the difference says why something is not so', async () => {
  const { id, simulator } = await device('grbl', '--tcp', '0');
  const made = await expectStatus(201, ask('POST', base, { device_id: id, desired: { $110: 750, $999: 1 } }));
  expect(made).toMatchObject({
    device_id: id,
    reported: {},
    reported_at: null,
    difference: [
      { name: '$110', desired: 750, reported: null, reason: null },
      { name: '$999', desired: 1, reported: null, reason: null },
    ],
  });
  expect((await ask('POST', base, { device_id: id })).status).toBe(409);
  expect((await ask('POST', `${base}/${made.id}/apply`)).status).toBe(409);

  expect(await connect(id)).toMatchObject({ status: 'connected' });
  // On a busy machine they are asked for and told behind the connection.
  await until(
    async () => (await ask('GET', `/api/myntrix/devices/${id}`)).body,
    ({ statusReason }) => statusReason === 'settings that are not as they are wanted: $999',
    60_000,
  );
  const reported = await settingsOf(made.id);
  expect(reported).toMatchObject({ reported: { $110: 750, $111: 500, $130: 200 } });
  expect(reported.difference).toEqual([
    { name: '$999', desired: 1, reported: null, reason: expect.stringContaining('error:3') },
  ]);
  const { executed } = await simulator.tell({});
  expect(executed.filter((line) => line.startsWith('$110='))).toEqual(['$110=750']);

  // Changed while it is connected: it differs until it is applied, which says so by commands on the record.
  const { desired, ...rest } = reported;
  const changed = await expectStatus(
    200,
    ask('PUT', `${base}/${made.id}`, { ...rest, desired: { ...desired, $111: 640, $999: 1 } }),
  );
  expect(changed.difference).toEqual([
    { name: '$999', desired: 1, reported: null, reason: expect.any(String) },
    { name: '$111', desired: 640, reported: 500, reason: null },
  ]);
  const applied = await expectStatus(200, ask('POST', `${base}/${made.id}/apply`));
  expect(applied).toMatchObject({ reported: { $110: 750, $111: 640 }, difference: [{ name: '$999' }] });
  const commands = (await ask('GET', `/api/myntrix/devices/${id}/commands`)).body as Answer[];
  expect(commands.map(({ command }) => command)).toEqual(['$$', '$111=640', '$999=1', '$$']);

  expect((await ask('PUT', `${base}/${made.id}`, { device_id: made.id })).status).toBe(422);
  expect((await ask('PUT', `${base}/${made.id}`, { desired: { 'a\nb': 1 } })).status).toBe(422);
  expect((await ask('GET', `${base}?device_id=${id}`)).body).toHaveLength(1);
  await expectStatus(204, ask('DELETE', `${base}/${made.id}`));
  expect((await ask('GET', `${base}/${made.id}`)).status).toBe(404);
});

const isAsWanted = ({ difference, reported_at }: Answer) => reported_at !== null && difference.length === 0;
const command = (id: string, text: string): Promise<Answer> =>
  expectStatus(200, ask('POST', `/api/myntrix/devices/${id}/command`, { command: text, timeout_ms: 60_000 }));

test('a printer gets its settings again when its firmware or its connection began anew, because it forgets them', async () => {
  const { id, simulator } = await device('marlin', '--tcp', '0');
  const { id: settings } = await expectStatus(
    201,
    ask('POST', base, { device_id: id, desired: { 'M92 X': 81.5, 'M203 Z': 5 } }),
  );
  await connect(id);
  await until(() => settingsOf(settings), isAsWanted, 60_000);
  for (const anew of [{ restart: true }, { disconnect: true }] as const) {
    const before = (await settingsOf(settings)).reported_at;
    await simulator.tell({ clear: true });
    await simulator.tell(anew);
    await until(
      () => settingsOf(settings),
      (seen) => seen.reported_at > before && isAsWanted(seen),
      60_000,
    );
    const { executed } = await simulator.tell({});
    expect(executed.filter((line) => /^M(92|203|503)/.test(line))).toEqual(['M503', 'M92 X81.5', 'M503']);
  }
  await expectStatus(204, ask('DELETE', `/api/myntrix/devices/${id}`));
  expect((await ask('GET', `${base}/${settings}`)).status).toBe(404);
});

test('what a device says of its settings to a command of somebody’s own counts, whoever gave it', async () => {
  const [cnc, printer] = await Promise.all([device('grbl', '--tcp', '0'), device('marlin', '--tcp', '0')]);
  const [ofCnc, ofPrinter] = await Promise.all([
    expectStatus(201, ask('POST', base, { device_id: cnc.id, desired: { $110: 500, $999: 1 } })),
    expectStatus(201, ask('POST', base, { device_id: printer.id, desired: { 'M92 X': 80 } })),
  ]);
  await Promise.all([connect(cnc.id), connect(printer.id)]);
  await until(() => settingsOf(ofPrinter.id), isAsWanted, 60_000);
  const before = await until(
    () => settingsOf(ofCnc.id),
    ({ reported_at }) => reported_at !== null,
    60_000,
  );

  expect(await command(cnc.id, '$110=333')).toMatchObject({ state: 'acknowledged' });
  expect((await settingsOf(ofCnc.id)).reported.$110).toBe(500); // what it said last
  await command(cnc.id, '$$');
  const after = await settingsOf(ofCnc.id);
  expect(after.reported).toEqual({ ...before.reported, $110: 333 });
  expect(after.difference).toEqual([
    { name: '$110', desired: 500, reported: 333, reason: null },
    { name: '$999', desired: 1, reported: null, reason: expect.stringContaining('error:3') },
  ]);
  expect(after.reported_at > before.reported_at).toBe(true);
  // What says nothing of settings changes nothing.
  await command(cnc.id, '$I');
  expect(await settingsOf(ofCnc.id)).toEqual(after);

  await command(printer.id, 'M92 X90');
  const give = { call: 'device.command', with: { device: printer.id, command: 'M503' } };
  expect(await world.run(user, [{ give }])).toMatchObject({ status: 'completed' });
  expect(await settingsOf(ofPrinter.id)).toMatchObject({
    reported: { 'M92 X': 90, 'M203 Z': 5 },
    difference: [{ name: 'M92 X', desired: 80, reported: 90, reason: null }],
  });
  for (const { id } of [cnc, printer]) await expectStatus(204, ask('DELETE', `/api/myntrix/devices/${id}`));
});
