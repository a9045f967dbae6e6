import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ovenRegisters } from '../devices/protocol-cases.ts';
import { keepSimulators } from '../simulators/kept.ts';
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
const ask = (method: string, path: string, body?: object) =>
  world.api(method, path, { token: user.token, ...(body ? { body } : {}) });
const simulate = simulators.start;
const connected = async (connectionString: string, configuration: object): Promise<Answer> => {
  const { id } = await expectStatus(
    201,
    ask('POST', '/api/myntrix/devices', { name: 'oven', connectionString, configuration }),
  );
  return expectStatus(202, ask('POST', `/api/myntrix/devices/${id}/connect?wait=60`));
};
const command = (id: string, text: string): Promise<Answer> =>
  expectStatus(200, ask('POST', `/api/myntrix/devices/${id}/command`, { command: text, timeout_ms: 60_000 }));
const untilDevice = (id: string, done: (device: Answer) => boolean): Promise<Answer> =>
  until(async () => (await ask('GET', `/api/myntrix/devices/${id}`)).body, done, 60_000);

test('a device behind a broker logs in with a shared secret, which nobody is shown, and is connected to again', async () => {
  const secret = 'hotter-than-the-sun';
  const name = `broker_${Date.now()}`;
  await expectStatus(
    201,
    world.api('POST', '/api/neosyntis/secrets', {
      token: world.admin.token,
      body: { name, value: secret, shared: true },
    }),
  );
  const simulator = await simulate('mqtt', '--login', `lab:${secret}`);
  const mqtt = {
    username: 'lab',
    passwordSecret: name,
    correlation: 'id',
    identity: { command: '{"identify":true}', name: '/name', version: '/version' },
  };
  const device = await connected(simulator.address, { mqtt, reconnect: { initialMs: 50, maxMs: 200 } });
  expect(device).toMatchObject({
    status: 'connected',
    protocol: 'mqtt',
    firmwareName: 'Oven',
    firmwareVersion: '1.4.2',
    mocked: false,
  });
  expect(await command(device.id, '{"set":{"target":55}}')).toMatchObject({ state: 'acknowledged' });
  const events = await world.watch(user, '/ws/events?topics=devices');
  await simulator.tell({ disconnect: true });
  // It may be back before anybody has read why it was lost.
  await events.next(
    ({ event }) => event?.subject === device.id && /ended the connection/.test(event.data.statusReason ?? ''),
  );
  events.close();
  await untilDevice(
    device.id,
    ({ status, statusSince }) => status === 'connected' && statusSince > device.statusSince,
  );
  expect((await simulator.tell({})).executed).toEqual(['target=55']);
  expect(JSON.stringify(await ask('GET', `/api/myntrix/devices/${device.id}`))).not.toContain(secret);

  // One of a user's own is not the installation's, and neither is one that nobody has.
  const own = await connected(simulator.address, { mqtt: { ...mqtt, passwordSecret: 'not_there' } });
  expect(own).toMatchObject({
    status: 'error',
    statusReason: expect.stringContaining('no secret not_there'),
  });
  await expectStatus(204, ask('DELETE', `/api/myntrix/devices/${own.id}`));
});

test('registers and web servers are devices like others, and what cannot be spoken to is refused at its field', async () => {
  const [registers, web] = [await simulate('modbus'), await simulate('http')];
  const plc = await connected(registers.address, {
    registers: ovenRegisters,
    modbus: { emergency: 'write running 0' },
  });
  expect(plc).toMatchObject({ status: 'connected', protocol: 'modbus', firmwareVersion: '1.4.2' });
  expect(await command(plc.id, 'write speed 30')).toMatchObject({ state: 'acknowledged' });
  expect(await command(plc.id, 'read speed')).toMatchObject({ response: 'speed=30' });
  expect(await command(plc.id, 'read missing')).toMatchObject({
    state: 'failed',
    reason: expect.stringContaining('exception 2'),
  });
  const stop = await ask('POST', `/api/myntrix/devices/${plc.id}/emergency-stop`);
  expect(stop.status).toBeLessThan(300);
  const oven = await connected(web.address, {
    http: { identity: { path: '/info', version: '/version' }, alive: { path: '/', everyMs: 500 } },
    reconnect: { initialMs: 50, maxMs: 200 },
  });
  expect(oven).toMatchObject({ status: 'connected', protocol: 'http', firmwareVersion: '1.4.2' });
  expect(await command(oven.id, 'PUT /target {"value":44}')).toMatchObject({ state: 'acknowledged' });
  await web.tell({ disconnect: true });
  await untilDevice(oven.id, ({ status }) => status !== 'connected');
  for (const [connectionString, configuration, why] of [
    ['mqtt://broker/lab/#', {}, 'cannot be read'],
    ['mqtt://broker/lab', { mqtt: { commandTopic: 'lab/+' } }, 'wildcards'],
    ['mqtt://lab:secret@broker/lab', {}, 'holds a login'],
    ['modbus-tcp://plc?unit=999', {}, 'units are from 0 to 255'],
    ['http://oven', { http: { headers: { authorization: 'Bearer x' } } }, 'secretHeaders'],
  ] as const) {
    const refused = await expectStatus(
      422,
      ask('POST', '/api/myntrix/devices', { name: 'x', connectionString, configuration }),
    );
    expect(JSON.stringify(refused)).toContain(why);
  }
});

test('a host says which serial ports it has, and nobody does for a host that is away', async () => {
  const ports = await ask('GET', '/api/hosts/local/ports');
  expect(ports).toMatchObject({ status: 200, body: expect.any(Array) });
  for (const port of ports.body) expect(port.path).toMatch(/\w/);
  expect((await ask('GET', '/api/hosts/nowhere/ports')).status).toBe(404);
  const name = `gone-${Date.now()}`;
  await world.sql(
    "insert into hosts (name, online, last_seen, announced_at, capabilities, sessions) values (?, false, now(), now(), '{}', 0)",
    [name],
  );
  expect(await ask('GET', `/api/hosts/${name}/ports`)).toMatchObject({ status: 503 });
});
