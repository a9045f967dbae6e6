import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { createSystemMetricsRepository } from '../../db/myntrix/system-metrics.ts';
import { type Database, openDatabase } from '../../db/orm.ts';
import { mockSample } from '../../drivers/system/mocks.ts';
import { createLogger } from '../../logs.ts';
import { until } from '../support/client.ts';
import { createHosts } from '../support/host.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

const path = '/api/myntrix/system-metrics';
const DAY_MS = 86_400_000;

let world: World;
let viewer: TestUser;
let database: Database;
let hosts: ReturnType<typeof createHosts>;

beforeAll(async () => {
  world = await enterWorld('sql');
  viewer = await world.newUser('viewer');
  const log = createLogger('test', 'silent');
  database = await openDatabase({ databaseUrl: testStack().databaseUrl, poolSize: 2, log });
  hosts = createHosts({ url: world.url, api: world.api, token: world.admin.token });
});
afterAll(async () => {
  await hosts.close();
  await database.close();
  await world.close();
});

const get = (query = '') => world.api('GET', `${path}${query}`, { token: viewer.token });
const iso = (ms: number) => new Date(ms).toISOString();

test('The platform’s own machine is measured, with the fields that dashboards know at the top', async () => {
  const { body } = await until(get, ({ body }) => !body.stale && !body.mocked, 60_000);
  expect(body).toMatchObject({
    host: 'local',
    memory_total: totalmem(),
    cores: cpus().map(() => expect.any(Number)),
    load: [expect.any(Number), expect.any(Number), expect.any(Number)],
    interval_seconds: 5,
  });
  for (const name of ['reason', 'mocked', 'fallbacks']) expect(body).not.toHaveProperty(name);
  expect(body.cpu_percent).toBeGreaterThanOrEqual(0);
  expect(body.memory_available).toBeGreaterThan(0);
  expect(body.memory_available).toBeLessThan(body.memory_total);
  expect(body.memory_percent).toBeCloseTo(100 * (1 - body.memory_available / body.memory_total), 0);
  expect(body.disk.file_systems.length).toBeGreaterThan(0);
  expect(body.network.interfaces.length).toBeGreaterThan(0);
  expect(body.processes.total).toBeGreaterThan(3);
  expect(body.hosts).toContainEqual(
    expect.objectContaining({
      host: 'local',
      status: 'online',
      stale: false,
      cpu_percent: expect.any(Number),
    }),
  );
  const history = await until(
    () => get('/history?host=local&step=2'),
    ({ body }) => body.points?.length > 1,
    60_000,
  );
  expect(history.body.points.at(-1).memory_percent).toBeGreaterThan(0);
});

/** A folder with the programs of this machine, but for those. */
function programsWithout(...missing: string[]): string {
  const folder = join(hosts.newFolder(), 'bin');
  mkdirSync(folder);
  for (const from of ['/usr/bin', '/usr/sbin'])
    for (const name of readdirSync(from))
      if (!missing.includes(name))
        try {
          symlinkSync(join(from, name), join(folder, name));
        } catch {
          // the other folder has it as well
        }
  return folder;
}

test('A host that makes something up says what and why, and one that is lost keeps its last values and their time', async () => {
  const name = `mocked-${uuidv7()}`;
  const { body: limited } = await world.api('POST', '/api/api-tokens', {
    token: viewer.token,
    body: { name: 'x', permissions: ['system:events:read'], expires_at: null },
  });
  const [seen, unseen] = await Promise.all([
    world.watch(viewer, '/ws/events?topics=system'),
    world.watch({ ...viewer, token: limited.token }, '/ws/events?topics=system'),
  ]);
  const host = await hosts.join(name, {
    env: { VAREON_MOCK_SYSTEM_METRICS: 'true', VAREON_METRICS_SECONDS: '1', PATH: programsWithout('df') },
  });
  const snapshot = await seen.next(({ type }) => type === 'snapshot');
  const frame = await seen.next(({ event }) => event?.subject === name);
  expect(frame).toMatchObject({
    type: 'event',
    topic: 'system',
    seq: snapshot.seq,
    previous: snapshot.seq,
    event: { type: 'dev.vareon.system.metrics', data: { host: name, mocked: true, stale: false } },
  });
  await unseen.next(({ type }) => type === 'snapshot');
  expect(unseen.frames).toHaveLength(1);
  for (const socket of [seen, unseen]) socket.close();

  const reason = 'VAREON_MOCK_SYSTEM_METRICS=true';
  const { body } = await get(`?host=${name}`);
  expect(body).toMatchObject({
    host: name,
    mocked: true,
    reason,
    cpu_percent: 25,
    disk: { mocked: true, reason: '`df` gave no file systems' },
  });
  expect(body.processes).toEqual({ total: expect.any(Number) });
  expect(body.network).not.toHaveProperty('mocked');
  expect(body.hosts).toContainEqual(expect.objectContaining({ host: name, mocked: true }));
  const said = async () => host.output().match(/"function":"system_metrics","reason":"VAREON_MOCK_/g) ?? [];
  expect(await until(said, (lines) => lines.length > 0, 60_000)).toHaveLength(1);

  const { body: status } = await world.api('GET', '/api/system/status', { token: viewer.token });
  expect(status.status).toBe('degraded');
  expect(status.degraded).toEqual(
    expect.arrayContaining([
      { function: 'system_metrics', host: name, mocked: true, reason, since: expect.any(String) },
      expect.objectContaining({ function: 'file_system', host: name, mocked: true }),
    ]),
  );

  const { body: past } = await until(
    () => get(`/history?host=${name}&step=60`),
    ({ body }) => body.points.length > 0,
    60_000,
  );
  expect(past.points[0]).toMatchObject({ cpu_percent: null, disk_used_percent: null });
  expect(past.points[0].processes).toBeGreaterThan(0);

  host.signal('SIGKILL');
  const { body: lost } = await until(
    () => get(`?host=${name}`),
    ({ body }) => body.stale,
    60_000,
  );
  expect(lost).toMatchObject({ stale: true, memory_percent: 50 });
  expect(Date.parse(lost.timestamp)).toBeGreaterThanOrEqual(Date.parse(body.timestamp));
  await until(
    () => world.api('GET', '/api/system/status', { token: viewer.token }),
    ({ body }) => body.degraded.every(({ host }: { host: string }) => host !== name),
    60_000,
  );
});

/** A host that nobody runs. */
async function newHost(): Promise<string> {
  const name = `past-${uuidv7()}`;
  await world.sql(
    `insert into hosts (name, online, last_seen, announced_at, capabilities, sessions, generation)
     values (?, true, now(), now(), '{}', 0, 2)`,
    [name],
  );
  return name;
}

const sampleWith = (cpu_percent: number, temperature: number | null = null) => ({
  ...mockSample(),
  cpu_percent,
  temperature,
  fallbacks: [],
});

/** Three samples that came in within one minute. */
async function threeSamples(): Promise<string> {
  const metrics = createSystemMetricsRepository(database);
  const host = await newHost();
  const send = (seq: number, cpu: number, temperature?: number, generation = 2) =>
    metrics.keep(host, { generation, seq, sample: sampleWith(cpu, temperature) });
  expect(await send(1, 10, 40)).toMatchObject({ host, cpu_percent: 10 });
  expect(await send(3, 20)).toMatchObject({ cpu_percent: 20 });
  // Another platform worker's copy, one that was overtaken, and one of an earlier holder of the name.
  expect(await Promise.all([send(3, 99), send(2, 99), send(9, 99, 99, 1)])).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  await send(4, 60, 50);
  const minutes = await world.sql('select 1 from system_metric_points where host = ? and step > 0', [host]);
  return minutes.length === 2 ? host : threeSamples();
}

test('The past is averages of minutes and hours with their extremes, no finer than it is kept', async () => {
  const host = await threeSamples();
  const point = {
    cpu_percent: 30,
    temperature: 45,
    min: expect.objectContaining({ cpu_percent: 10, temperature: 40 }),
    max: expect.objectContaining({ cpu_percent: 60, temperature: 50 }),
  };
  const { body: hour } = await get(`/history?host=${host}`);
  expect(hour).toMatchObject({ host, step: 15 });
  expect(Math.max(...hour.points.map(({ max }: { max: { cpu_percent: number } }) => max.cpu_percent))).toBe(
    60,
  );
  expect((await get(`/history?host=${host}&step=61`)).body).toMatchObject({ step: 120, points: [point] });

  await world.sql("update system_metric_points set at = at - interval '8 days' where host = ?", [host]);
  const now = Date.now();
  const { body: old } = await get(
    `/history?host=${host}&from=${iso(now - 9 * DAY_MS)}&to=${iso(now)}&step=60`,
  );
  expect(old).toMatchObject({ step: 3_600, points: [point] });
  expect((await get(`/history?host=${host}`)).body.points).toEqual([]);
});

test('What cannot be answered is refused, and says what could', async () => {
  const now = Date.now();
  const refused = async (query: string) => {
    const { status, body } = await get(query);
    return [status, body.detail];
  };
  const long = `/history?host=local&from=${iso(now - 6 * 3_600_000)}&to=${iso(now)}&step=1`;
  expect(await refused(long)).toEqual([
    422,
    expect.stringMatching(/21600 points.* step of 11 seconds or more/),
  ]);
  expect(await refused(`/history?from=${iso(now)}&to=${iso(now - 1)}`)).toEqual([
    422,
    '`from` must be before `to`.',
  ]);
  for (const query of ['/history?step=0', '/history?from=yesterday', '/history?bucket=1', '?host=Not%20One'])
    expect((await refused(query))[0]).toBe(422);
  expect(await refused('?host=nobody')).toEqual([404, 'There is no host "nobody".']);
  expect(await refused('/history?host=nobody')).toEqual([404, 'There is no host "nobody".']);
  const { body } = await get(`?host=${await newHost()}`);
  expect(body).toMatchObject({
    mocked: true,
    stale: true,
    reason: expect.stringContaining('has sent nothing'),
  });
});
