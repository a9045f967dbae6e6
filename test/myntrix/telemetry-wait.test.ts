import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { createDeviceReporter } from '../../drivers/devices/reporter.ts';
import { type FakeHost, joinAsHost } from '../support/fake-host.ts';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let operator: TestUser;
let host: FakeHost;
const reporter = createDeviceReporter();

beforeAll(async () => {
  world = await enterWorld('sql');
  operator = await world.newUser('operator');
  host = await joinAsHost(world);
  reporter.connect({ bus: host.bus, host: host.name, generation: 0 });
});
afterAll(async () => {
  reporter.close();
  await host.close();
  await world.close();
});

/** A run that waits for a hot bed. */
async function waitFor(device: string, more: object = {}): Promise<string> {
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
  return (await expectStatus(202, world.api('POST', path, sent))).run_id;
}

const isOver = ({ status }: Run): boolean => ['completed', 'failed', 'cancelled'].includes(status);
const waits = ({ steps }: Run): boolean => steps[0]?.status === 'running';

test('a bed of 60 degrees for 10 s is waited for, begun anew each time that it cools, by the device’s own times', async () => {
  const device = await host.newDevice();
  const runId = await waitFor(device, { for: 'PT10S' });
  await world.untilRun(operator, runId, waits);
  const began = Date.now() + 1_000;
  const say = (second: number, value: number) =>
    reporter.readings(device, [{ metric: 'B', value, timestamp: new Date(began + second * 1_000) }]);
  // It flaps: never ten seconds in a row.
  for (let second = 0; second < 60; second++) say(second, second % 9 === 8 ? 59.9 : 60);
  // Of another metric, and of another device: they do not count.
  reporter.readings(device, [{ metric: 'T', value: 10, timestamp: new Date(began + 75_000) }]);
  // After a silence that is too long for anybody to know what was, it begins anew as well.
  for (let second = 70; second < 80; second += 0.5) say(second, 61);
  say(80, 62);
  const run = await world.untilRun(operator, runId, isOver);
  expect(run.output).toMatchObject({
    ...{ device_id: device, metric: 'B', value: 62 },
    timestamp: new Date(began + 80_000).toISOString(),
    held_since: new Date(began + 70_000).toISOString(),
  });
});

test('a run that is cancelled while it waits ends as cancelled, and its wait with it', async () => {
  const device = await host.newDevice();
  const runId = await waitFor(device, { timeout: 'P30D' });
  await world.untilRun(operator, runId, waits);
  await expectStatus(
    202,
    world.api('POST', `/api/neosyntis/runs/${runId}/cancel`, { token: operator.token }),
  );
  const run = await world.untilRun(operator, runId, isOver);
  expect(run).toMatchObject({ status: 'cancelled', steps: [{ status: 'cancelled' }] });
});

test('a device that is deleted meanwhile, that nobody has, or whose name two have, ends the wait and it is said why', async () => {
  const [gone, name] = [await host.newDevice(), `twin-${uuidv7()}`];
  await host.newDevice(name);
  await host.newDevice(name);
  const [deleted, twins, nobodys] = [
    await waitFor(gone, { timeout: 'P30D' }),
    await waitFor(name),
    await waitFor(uuidv7()),
  ];
  await world.untilRun(operator, deleted, waits);
  await world.sql('update devices set removed_at = now() where id = ?', [gone]);
  const detail = async (runId: string): Promise<string> => {
    const run = await world.untilRun(operator, runId, isOver);
    expect(run.status).toBe('failed');
    return run.error.detail;
  };
  expect(await detail(deleted)).toMatch(/was deleted meanwhile/);
  expect(await detail(twins)).toMatch(/More than one device is named .* give the id of one/);
  expect(await detail(nobodys)).toMatch(/There is no device/);
});
