import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type LineDevice, startLineDevice } from '../devices/line-device.ts';
import { keepSimulators } from '../simulators/kept.ts';
import { until } from '../support/client.ts';
import { devicesOf, eager } from '../support/devices.ts';
import { createHosts, type TestHost } from '../support/host.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

/** A device that more than one host could have. */
let world: World;
let user: TestUser;
let devices: ReturnType<typeof devicesOf>;
let hosts: ReturnType<typeof createHosts>;
let other: TestHost;
const otherName = `other-${Date.now()}`;
const simulators = keepSimulators();
const opened: LineDevice[] = [];
beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
  devices = devicesOf(world, user);
  hosts = createHosts({ url: world.url, api: world.api, token: world.admin.token });
  other = await hosts.join(otherName);
});
afterAll(async () => {
  await simulators.stopAll();
  for (const one of opened) await one.close();
  await hosts.close();
  await world.close();
});

async function lineDevice(): Promise<LineDevice> {
  const device = await startLineDevice(false, () => 'OK');
  opened.push(device);
  return device;
}
const lines = { ...eager, protocol: 'lines' };
const untilOpen = (device: LineDevice, count: number) =>
  until(
    async () => device.open(),
    (open) => open === count,
    60_000,
  );

test('Two hosts that are told to have one device: one has it, and the device hears of nobody else', async () => {
  const device = await lineDevice();
  // It leads to this machine too, and is not known as an address that each host has of its own.
  const address = device.address.replace('127.0.0.1', '0.0.0.0');
  const [one, two] = await Promise.all([
    devices.make(address, lines),
    devices.make(address, lines, { host: otherName }),
  ]);
  const asked = await Promise.all([one, two].map(({ id }) => devices.ask('POST', `/${id}/connect?wait=60`)));
  expect(asked.map(({ status }) => status).sort()).toEqual([202, 409]);
  const [winner, loser] = asked[0]?.status === 202 ? [one, two] : [two, one];
  expect(asked.find(({ status }) => status === 409)?.text).toMatch(/disconnect that one|at this moment/);
  expect(await devices.command(winner.id, 'MINE')).toMatchObject({ state: 'acknowledged' });
  expect((await devices.ask('POST', `/${loser.id}/command`, { command: 'YOURS' })).status).toBe(409);
  const again = await devices.ask('POST', `/${loser.id}/connect`);
  expect([again.status, again.text]).toEqual([409, expect.stringContaining(winner.id)]);
  expect([device.executed, device.connections]).toEqual([['MINE'], 1]);
  await devices.disconnect(winner.id);
  await untilOpen(device, 0);
  expect(await devices.connect(loser.id)).toMatchObject({ status: 'connected' });
  expect(await devices.command(loser.id, 'YOURS')).toMatchObject({ state: 'acknowledged' });
  expect([device.executed, device.connections]).toEqual([['MINE', 'YOURS'], 2]);
  await devices.disconnect(loser.id);
});

test('A serial port that another process of the same machine has is refused by the system, and gets no byte', async () => {
  const grbl = await simulators.start('grbl', '--pty');
  const [one, two] = await Promise.all([
    devices.make(grbl.address, { ...eager, protocol: 'grbl' }),
    devices.make(grbl.address, { ...eager, protocol: 'grbl' }, { host: otherName }),
  ]);
  await devices.connect(one.id);
  const asked = async () => (await grbl.tell({})).executed.filter((line) => line === '$I').length;
  const ofOne = await asked();
  // The platform cannot know that both are one machine.
  expect(await devices.connect(two.id)).toMatchObject({
    status: 'error',
    statusReason: expect.stringContaining('in use by another program'),
  });
  expect(await devices.command(two.id, 'G0 X2')).toMatchObject({ state: 'failed', sentAt: null });
  expect(await devices.command(one.id, 'G0 X1')).toMatchObject({ state: 'acknowledged' });
  expect(await asked()).toBe(ofOne);
  await devices.disconnect(one.id);
  expect(await devices.untilDevice(two.id, ({ status }) => status === 'connected')).toMatchObject({
    host: otherName,
  });
  expect((await grbl.tell({})).motions).toBe(1);
  await devices.disconnect(two.id);
});

test('A device goes to another host while it is disconnected: the first one has let go, and the second connects', async () => {
  const device = await lineDevice();
  const { id } = await devices.make(device.address, lines);
  expect((await devices.put(id, { host: otherName })).body).toMatchObject({ host: otherName });
  expect((await devices.put(id, { host: 'local' })).body).toMatchObject({ host: 'local' });
  expect(await devices.connect(id)).toMatchObject({ status: 'connected', host: 'local' });

  // Connected, it stays where it is.
  const early = await devices.put(id, { host: otherName });
  expect([early.status, early.text]).toEqual([409, expect.stringContaining('disconnect it before')]);
  expect(await devices.command(id, 'HERE')).toMatchObject({ state: 'acknowledged' });
  expect([device.connections, device.open()]).toEqual([1, 1]);

  await devices.disconnect(id);
  await untilOpen(device, 0);
  expect((await devices.put(id, { host: otherName })).body).toMatchObject({ host: otherName });
  expect(await devices.connect(id)).toMatchObject({ status: 'connected', host: otherName });
  expect(await devices.command(id, 'THERE')).toMatchObject({ state: 'acknowledged' });
  expect([device.executed, device.connections, device.open()]).toEqual([['HERE', 'THERE'], 2, 1]);

  // What its host has in hand goes with that host.
  other.signal('SIGSTOP');
  await devices.untilDevice(id, ({ status }) => status === 'unknown');
  expect((await devices.put(id, { host: 'local' })).status).toBe(409);
  other.signal('SIGCONT');
  await devices.untilDevice(id, ({ status }) => status === 'connected');
  await devices.disconnect(id);
  await untilOpen(device, 0);
});

test('A device goes on at another host when its own is gone for good, whichever was asked for first', async () => {
  for (const isDisconnectedFirst of [true, false]) {
    const name = `gone-${isDisconnectedFirst}-${Date.now()}`;
    const host = await hosts.join(name);
    const device = await lineDevice();
    const { id } = await devices.make(device.address, lines, { host: name });
    await devices.connect(id);
    host.signal('SIGKILL');
    await host.ended;
    await untilOpen(device, 0);
    await hosts.untilStatus(name, 'offline');
    const disconnect = () => expectStatus(202, devices.ask('POST', `/${id}/disconnect`));
    if (isDisconnectedFirst) await disconnect();
    await expectStatus(204, world.api('DELETE', `/api/hosts/${name}`, { token: world.admin.token }));
    if (!isDisconnectedFirst) await disconnect();
    await devices.untilDevice(id, ({ status }) => status === 'disconnected');
    expect((await devices.put(id, { host: 'local' })).body).toMatchObject({ host: 'local' });
    expect(await devices.connect(id)).toMatchObject({ status: 'connected', host: 'local' });
    expect(await devices.command(id, 'HERE')).toMatchObject({ state: 'acknowledged' });
    expect([device.executed, device.connections]).toEqual([['HERE'], 2]);
    await devices.disconnect(id);
  }
});

test('A host that was deleted while it held a device lets go of it', async () => {
  const name = `deleted-${Date.now()}`;
  await hosts.join(name);
  const device = await lineDevice();
  const { id } = await devices.make(device.address, lines, { host: name });
  await devices.connect(id);
  await expectStatus(204, world.api('DELETE', `/api/hosts/${name}`, { token: world.admin.token }));
  await untilOpen(device, 0);
  await devices.disconnect(id);
  expect((await devices.put(id, { host: 'local' })).status).toBe(200);
  expect(await devices.connect(id)).toMatchObject({ status: 'connected' });
  expect(device.connections).toBe(2);
  await devices.disconnect(id);
});
