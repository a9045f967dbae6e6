import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type LineDevice, startLineDevice } from '../devices/line-device.ts';
import { until } from '../support/client.ts';
import { devicesOf, eager } from '../support/devices.ts';
import { countLegs, goOnInAnother } from '../support/legs.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

/** A device whose workflow ends, one way or the other, while the device is connected. */
let world: World;
let user: TestUser;
let devices: ReturnType<typeof devicesOf>;
const opened: LineDevice[] = [];
beforeAll(async () => {
  world = await enterWorld('temporal');
  user = await world.newUser('operator');
  devices = devicesOf(world, user);
});
afterAll(async () => {
  for (const one of opened) await one.close();
  await world.close();
});

async function connected() {
  const device = await startLineDevice(false, (said) => `${said} done`);
  opened.push(device);
  const { id } = await devices.make(device.address, { ...eager, protocol: 'lines' });
  const { statusSince } = await devices.connect(id);
  const handle = world.temporal.workflow.getHandle(`device-${id}`);
  const execution = async () => {
    const { runId, status } = await handle.describe();
    return status.name === 'RUNNING' ? runId : undefined;
  };
  const first = await execution();
  const untilAnother = () => until(execution, (runId) => runId !== undefined && runId !== first, 60_000);
  return { id, device, statusSince, handle, untilAnother };
}

/** Gives commands, one after the other, until it is told to stop. @returns what was given */
function keepCommanding(id: string): () => Promise<string[]> {
  const given: string[] = [];
  let isOver = false;
  const all = (async () => {
    while (!isOver) {
      const text = `SET ${given.length}`;
      given.push(text);
      expect(await devices.command(id, text)).toMatchObject({
        state: 'acknowledged',
        response: `${text} done`,
      });
    }
  })();
  all.catch(() => {}); // told by who waits for it
  return async () => {
    isOver = true;
    await all;
    return given;
  };
}

test('One that somebody terminated begins again, over the same connection, and does what it is told then', async () => {
  const { id, device, statusSince, handle, untilAnother } = await connected();
  const end = keepCommanding(id);
  await handle.terminate('by hand');
  await untilAnother();
  const given = await end();
  expect(device.executed).toEqual(given);
  expect(await devices.get(id)).toMatchObject({ status: 'connected', statusSince });
  expect([device.connections, device.open()]).toEqual([1, 1]);

  // What it was told while there was nobody to hear it is done as well.
  const { runId } = await handle.describe();
  await handle.terminate('by hand');
  expect(await devices.disconnect(id)).toMatchObject({ status: 'disconnected' });
  await until(
    async () => device.open(),
    (open) => open === 0,
    60_000,
  );
  expect((await handle.describe()).runId).not.toBe(runId);
  expect(await devices.connect(id)).toMatchObject({ status: 'connected' });
  expect(await devices.command(id, 'LAST')).toMatchObject({ state: 'acknowledged' });
  expect([device.executed, device.connections]).toEqual([[...given, 'LAST'], 2]);
  await devices.disconnect(id);
});

test('One whose history is long goes on in another execution: the connection stays, and each command is sent once', async () => {
  const { id, device, statusSince } = await connected();
  const end = keepCommanding(id);
  await goOnInAnother(world, `device-${id}`);
  expect(await countLegs(world, `device-${id}`)).toBe(2);
  const given = await end();
  expect(device.executed).toEqual(given);
  expect(await devices.get(id)).toMatchObject({ status: 'connected', statusSince });
  expect([device.connections, device.open()]).toEqual([1, 1]);

  expect(await devices.disconnect(id)).toMatchObject({ status: 'disconnected' });
  await until(
    async () => device.open(),
    (open) => open === 0,
    60_000,
  );
  expect(await devices.connect(id)).toMatchObject({ status: 'connected' });
  expect(await devices.command(id, 'LAST')).toMatchObject({ state: 'acknowledged' });
  expect([device.executed, device.connections]).toEqual([[...given, 'LAST'], 2]);
  await devices.disconnect(id);
});
