import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createDeviceReporter } from '../../drivers/devices/reporter.ts';
import { until } from '../support/client.ts';
import { type FakeHost, joinAsHost } from '../support/fake-host.ts';
import type { Frame } from '../support/socket.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

let world: World;
let viewer: TestUser;
let host: FakeHost;

beforeAll(async () => {
  world = await enterWorld('sql');
  viewer = await world.newUser('viewer');
  host = await joinAsHost(world);
});
afterAll(async () => {
  await host.close();
  await world.close();
});

const path = '/api/myntrix/visualization-data';
const scene = (query = '') => expectStatus(200, world.api('GET', `${path}${query}`, { token: viewer.token }));
const find = (list: Frame[], id: string): Frame => list.find((one) => one.id === id) ?? {};
const setHost = (online: boolean) =>
  world.sql("update hosts set online = ?, last_seen = now() + interval '1 day' where name = ?", [
    online,
    host.name,
  ]);

test('agents, devices, hosts and what they have to do with each other are shown, live, and as they were', async () => {
  await setHost(true);
  const device = await host.newDevice('mill', { position: { x: 5, y: 0, z: -5 } });
  const other = await host.newDevice('lathe');
  const { id: agent } = await expectStatus(
    201,
    world.api('POST', '/api/myntrix/agents', {
      token: world.admin.token,
      body: { name: 'watcher', configuration: { command: 'true', devices: [device] } },
    }),
  );
  const before = await scene();
  expect(find(before.devices, device)).toMatchObject({
    kind: 'device',
    name: 'mill',
    status: 'disconnected',
    position: { x: 5, y: 0, z: -5 },
    color: '#999999',
    animation: { type: 'none', tool: null, progress: null },
    scale: 1,
  });
  expect(find(before.agents, agent)).toMatchObject({ status: 'stopped', color: '#999999', scale: 1 });
  expect(find(before.hosts, `host:${host.name}`)).toMatchObject({ status: 'online', color: '#009E73' });
  expect(find(before.links, `agent:${agent}:${device}`)).toMatchObject({ source: agent, target: device });
  expect(find(before.links, `on:${other}`)).toMatchObject({ source: other, target: `host:${host.name}` });

  const socket = await world.watch(viewer, '/ws/myntrix/visualization');
  const snapshot = await socket.next(({ type }) => type === 'snapshot');
  expect(find(snapshot.devices, other).position).toEqual(find(before.devices, other).position);

  await world.sql("update devices set status = 'connected', desired = 'connected' where id = ?", [device]);
  const reporter = createDeviceReporter();
  reporter.connect({ bus: host.bus, host: host.name, generation: 0 });
  reporter.readings(device, [
    { metric: 'MPos.x', value: 12.5 },
    { metric: 'MPos.z', value: -1 },
  ]);
  await world.sql(
    `insert into jobs (id, type, name, status, progress, details, created_at, updated_at, started_at)
     values (gen_random_uuid(), 'gcode', 'part', 'running', 37.5, jsonb_build_object('device_id', ?::text), now(), now(), now())`,
    [device],
  );
  const is = ({ nodes = [] }: Frame, id: string, wanted: (node: Frame) => boolean) =>
    nodes.some((node: Frame) => node.id === id && wanted(node));
  const moved = await socket.next((frame) =>
    is(frame, device, ({ animation }) => animation.tool?.x === 12.5 && animation.progress === 37.5),
  );
  expect(moved.nodes.find(({ id }: Frame) => id === device)).toMatchObject({
    status: 'connected',
    color: '#009E73',
    animation: { type: 'work', tool: { x: 12.5, y: null, z: -1 }, progress: 37.5 },
  });
  const connectedAt = moved.timestamp;
  await until(
    async () => Date.now(),
    (now) => now > Date.parse(connectedAt) + 5,
    60_000,
  );

  await setHost(false);
  await socket.next((frame) =>
    is(frame, device, ({ status, color }) => status === 'unknown' && color === '#CC79A7'),
  );
  await world.sql('delete from devices where id = ?', [other]);
  await socket.next(({ removed = [] }) => removed.includes(other) && removed.includes(`on:${other}`));
  const changes = socket.frames.slice(1);
  expect(changes.map(({ seq }) => seq)).toEqual(changes.map((_, n) => snapshot.seq + 1 + n));
  // Who comes again soon misses and repeats nothing. Others change the scene all the time: what is kept is short.
  const [known, ...missed] = changes.slice(-3);
  const again = await world.watch(viewer, `/ws/myntrix/visualization?after=${known?.seq}`);
  await again.next(({ seq }) => seq === missed.at(-1)?.seq);
  expect(missed).toHaveLength(2);
  expect(again.frames.slice(0, missed.length)).toEqual(missed);
  for (const one of [socket, again]) one.close();

  const was = await scene(`?at=${connectedAt}`);
  expect(was.timestamp).toBe(connectedAt);
  expect(find(was.devices, device)).toMatchObject({
    status: 'connected',
    position: { x: 5, y: 0, z: -5 },
    animation: { type: 'work', tool: { x: 12.5, y: null, z: -1 }, progress: null },
  });
  expect(find(was.devices, other)).toMatchObject({
    status: 'disconnected',
    position: find(before.devices, other).position,
  });
  expect(was.links.find(({ kind, target }: Frame) => kind === 'job' && target === device)).toMatchObject({
    type: 'gcode',
  });
  expect(find((await scene()).devices, device).status).toBe('unknown');
  expect(find((await scene(`?at=${before.timestamp}`)).devices, device).status).toBe('disconnected');
  const [{ at } = { at: '' }] = await world.sql<{ at: string }>(
    "select to_char((min(at) - interval '1 second') at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as at from state_changes where subject = ?",
    [device],
  );
  expect((await scene(`?at=${at}`)).devices.map(({ id }: Frame) => id)).not.toContain(device);
  for (const wrong of ['2001-01-01T00:00:00.000Z', '2199-01-01T00:00:00.000Z'])
    expect(await world.api('GET', `${path}?at=${wrong}`, { token: viewer.token })).toMatchObject({
      status: 422,
    });
  await world.api('DELETE', `/api/myntrix/agents/${agent}`, { token: world.admin.token });
  await world.sql(
    "update jobs set status = 'completed', ended_at = now() where details ->> 'device_id' = ?",
    [device],
  );
  reporter.close();
});
