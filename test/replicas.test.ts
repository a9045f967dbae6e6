// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { migrations } from '../db/migrations.ts';
import { type Database, openDatabase } from '../db/orm.ts';
import { rows } from '../db/sql.ts';
import { createLogger } from '../logs.ts';
import { type Client, until } from './support/client.ts';
import { untilWithin, within } from './support/pace.ts';
import { createPatientClient } from './support/patient.ts';
import { type Frame, openSocket } from './support/socket.ts';
import { type Replicas, type Servers, startReplicas } from './topology/replicas.ts';
import { startServers } from './topology/servers.ts';

/** Two APIs and two platform workers that share nothing but database, Temporal, bus and keys. */
const folder = mkdtempSync(join(tmpdir(), 'vareon-replicas-'));
let closeServers = async () => {};
let servers: Servers;
let replicas: Replicas;
let database: Database;
let a: Client;
let b: Client;
let adminToken: string;

beforeAll(async () => {
  const given = process.env.VAREON_TEST_SERVERS;
  if (given)
    servers = JSON.parse(given) as Servers; // test/topology/main.ts wrote it
  else ({ servers, close: closeServers } = await startServers(folder));
  replicas = await startReplicas(servers, folder);
  [a, b] = [createPatientClient(replicas.apis[0].url), createPatientClient(replicas.apis[1].url)];
  adminToken = await logIn(a, 'admin', secret('admin-password'));
  const log = createLogger('test', 'silent');
  database = await openDatabase({
    databaseUrl: secret('database-url'),
    poolSize: 2,
    connectWithinMs: 60_000,
    log,
  });
});

afterAll(async () => {
  await database?.close();
  await replicas?.close();
  await closeServers();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
});

const secret = (name: string) => readFileSync(join(servers.secrets, name), 'utf8');

async function logIn(api: Client, username: string, password: string): Promise<string> {
  const { status, text, body } = await api('POST', '/api/token', { body: { username, password } });
  if (status !== 200) throw new Error(`login of ${username}: ${status} ${text}`);
  return body.access_token;
}

async function newUser(name: string): Promise<string> {
  const password = 'a long walk to the sea';
  const { body: user } = await a('POST', '/api/register', {
    token: adminToken,
    body: { username: name, email: `${name}@example.org`, password },
  });
  await a('PUT', `/api/users/${user.id}`, {
    token: adminToken,
    body: { role: 'operator', is_verified: true },
  });
  return password;
}

async function newWorkflow(steps: unknown[]): Promise<string> {
  const { body } = await a('POST', '/api/neosyntis/workflows', {
    token: adminToken,
    body: { name: 'x', steps },
  });
  return body.id;
}

async function trigger(api: Client, workflow: string): Promise<string> {
  const path = `/api/neosyntis/workflows/${workflow}/trigger`;
  const { status, text, body } = await api('POST', path, {
    token: adminToken,
    headers: { 'Idempotency-Key': randomUUID() },
  });
  // 200 when the run has ended by then, as a short one may.
  if (status !== 202 && status !== 200) throw new Error(`trigger: ${status} ${text}`);
  return body.run_id;
}

const watch = (replica: 0 | 1, runId: string, after = 0) =>
  openSocket(
    new URL(`/ws/neosyntis/runs/${runId}?after=${after}`, replicas.apis[replica].url.replace('http', 'ws')),
    adminToken,
  );

const isEnd = (frame: Frame) => frame.type === 'run' && ['completed', 'failed'].includes(frame.run?.status);
const numbers = (frames: Frame[]) => frames.map(({ seq }) => seq).filter((seq) => typeof seq === 'number');

describe('Two replicas', () => {
  test('that start at once on an empty database make its schema and its administrator once', async () => {
    const done = await rows<{ name: string }>(database.em, 'select name from migrations order by id');
    expect(done.map(({ name }) => name)).toEqual(migrations.map(({ name }) => name));
    const users = await rows(database.em, "select 1 from users where username = 'admin'");
    expect(users).toHaveLength(1);
  });

  test('take each other’s access tokens and refresh tokens', async () => {
    const password = await newUser('pair');
    const { body } = await a('POST', '/api/token', { body: { username: 'pair', password } });
    expect((await b('GET', '/api/users/me', { token: body.access_token })).status).toBe(200);
    const refreshed = await b('POST', '/api/token/refresh', { body: { refresh_token: body.refresh_token } });
    expect(refreshed.status).toBe(200);
    expect((await a('GET', '/api/users/me', { token: refreshed.body.access_token })).status).toBe(200);
  });

  test('read each other’s large values, whichever took them', async () => {
    const command = 'head -c 400000 /dev/zero | tr "\\0" x';
    const workflow = await newWorkflow([
      { large: { run: { shell: { command } } } },
      { count: { set: { length: '${ length }' } } },
    ]);
    const ids = await Promise.all([a, b, a, b].map((api) => trigger(api, workflow)));
    for (const id of ids) {
      const run = await until(
        async () => (await b('GET', `/api/neosyntis/runs/${id}`, { token: adminToken })).body,
        ({ status }) => status !== 'pending' && status !== 'running',
        60_000,
      );
      expect(run).toMatchObject({ error: null, status: 'completed', output: { length: 400_000 } });
    }
  });

  test('let a WebSocket ticket of one be used once, at the other', async () => {
    const { body } = await a('POST', '/api/ws-ticket', { token: adminToken });
    const url = (replica: 0 | 1) =>
      new URL(`/ws/events?ticket=${body.ticket}`, replicas.apis[replica].url.replace('http', 'ws'));
    (await openSocket(url(1))).close();
    await expect(openSocket(url(0))).rejects.toMatchObject({ status: 401 });
    await expect(openSocket(url(1))).rejects.toMatchObject({ status: 401 });
  });

  test('both refuse within 1 s what one of them revoked, and end its WebSockets', async () => {
    const password = await newUser('gone');
    const token = await logIn(a, 'gone', password);
    expect((await b('GET', '/api/users/me', { token })).status).toBe(200); // now it is in b's cache
    const socket = await openSocket(new URL('/ws/events', replicas.apis[1].url.replace('http', 'ws')), token);
    expect((await a('POST', '/api/logout', { token })).status).toBeLessThan(300);
    expect((await a('GET', '/api/users/me', { token })).status).toBe(401);
    const refusedAtB = untilWithin(
      1_000,
      replicas.apis[1].url,
      async () => (await b('GET', '/api/users/me', { token })).status,
      (status) => status === 401,
    );
    await within(2_000, replicas.apis[1].url, () => socket.closed);
    await refusedAtB;
    await expect(socket.closed).resolves.toMatchObject({ code: 1008 });
  });

  test('count wrong passwords of a client together, by the address that the proxy saw', async () => {
    await newUser('guessed');
    const guess = (api: Client, headers: Record<string, string>) =>
      api('POST', '/api/token', { body: { username: 'guessed', password: 'not it' }, headers });
    const seen: number[] = [];
    // What a client makes up stands before the address that the proxy adds.
    for (let n = 0; n < 10; n++)
      seen.push((await guess(n % 2 ? a : b, { 'X-Forwarded-For': `198.51.100.${n}, 203.0.113.7` })).status);
    expect(seen).toContain(429);
    const lines = await rows<{ ip: string }>(
      database.em,
      "select distinct ip from audit_log where ip not like '127.%' and ip not like '::%'",
    );
    expect(lines).toEqual([{ ip: '203.0.113.7' }]);
  });

  test('start a run once, when the same request comes to both at once', async () => {
    const workflow = await newWorkflow([{ done: { set: { ok: true } } }]);
    const path = `/api/neosyntis/workflows/${workflow}/trigger`;
    const once = { token: adminToken, headers: { 'Idempotency-Key': 'the-same-for-both' } };
    const answers = await Promise.all([a('POST', path, once), b('POST', path, once)]);
    const ids = answers.flatMap(({ body }) => body.run_id ?? []);
    expect(new Set(ids).size).toBe(1);
    const runs = await rows(database.em, 'select 1 from runs where workflow_id = ?', [workflow]);
    expect(runs).toHaveLength(1);
  });
});

describe('A run', () => {
  test('that one API starts is watched whole at the other, live', async () => {
    const workflow = await newWorkflow([
      { pause: { wait: { milliseconds: 300 } } },
      { code: { run: { shell: { command: 'for n in 1 2 3 4 5; do echo line $n; sleep 0.05; done' } } } },
      { done: { set: { ok: true } } },
    ]);
    const runId = await trigger(b, workflow);
    const socket = await watch(0, runId);
    const other = await watch(1, runId);
    await socket.next(isEnd, 60_000);
    await other.next(isEnd, 60_000);
    const { body: run } = await b('GET', `/api/neosyntis/runs/${runId}`, { token: adminToken });
    expect(run.status).toBe('completed');
    expect(textOf(socket.frames)).toBe('line 1\nline 2\nline 3\nline 4\nline 5\n');
    expect(numbers(socket.frames)).toEqual(numbers(other.frames));
    expectNoGap(numbers(socket.frames));
    socket.close();
    other.close();
  });

  test('is watched on without a gap at B when A is killed', async () => {
    const workflow = await newWorkflow([
      { code: { run: { shell: { command: 'for n in $(seq 40); do echo $n; sleep 0.05; done' } } } },
      { done: { set: { ok: true } } },
    ]);
    const runId = await trigger(a, workflow);
    const first = await watch(0, runId);
    await first.next((frame) => frame.type === 'log', 60_000);
    replicas.apis[0].kill('SIGKILL');
    await Promise.all([first.closed, replicas.apis[0].ended]);
    const last = Math.max(...numbers(first.frames));
    // The other one stands in for it, whatever else is asked.
    expect(
      (await createPatientClient(replicas.url)('GET', '/api/users/me', { token: adminToken })).status,
    ).toBe(200);
    const second = await watch(1, runId, last);
    await second.next(isEnd, 60_000);
    expectNoGap([...numbers(first.frames), ...numbers(second.frames)]);
    expect(textOf([...first.frames, ...second.frames])).toBe(
      `${Array.from({ length: 40 }, (_, n) => n + 1).join('\n')}\n`,
    );
    second.close();
    await replicas.apis[0].startAgain();
  });

  test('goes on at the other platform worker when the one that had it is killed', async () => {
    const workflow = await newWorkflow([
      { pause: { wait: { seconds: 1 } } },
      { code: { run: { shell: { command: 'echo once' } } } },
    ]);
    const ids = [];
    for (let n = 0; n < 4; n++) ids.push(await trigger(n % 2 ? a : b, workflow));
    replicas.platforms[0].kill('SIGKILL');
    for (const id of ids) {
      const run = await until(
        async () => (await b('GET', `/api/neosyntis/runs/${id}`, { token: adminToken })).body,
        (found) => ['completed', 'failed'].includes(found?.status),
        60_000,
      );
      expect(run).toMatchObject({ status: 'completed', output: 'once\n' });
    }
  });
});

test('Each process has a bus connection of its own, and workers show that they are well', async () => {
  const { body } = await until(
    () => b('GET', '/ready'),
    ({ status }) => status === 200,
    60_000,
  );
  expect(body).toEqual({ database: 'ok', temporal: 'ok', bus: 'ok' });
  for (const name of ['platform-2', 'host'])
    await until(
      async () => Date.now() - statSync(join(folder, name, 'health')).mtimeMs,
      (ms) => ms < 10_000,
      60_000,
    );
});

const textOf = (frames: Frame[]): string =>
  frames.flatMap((frame) => (frame.type === 'log' ? [frame.text] : [])).join('');

function expectNoGap(seen: number[]): void {
  expect(seen).toEqual(seen.map((_, index) => (seen[0] ?? 0) + index));
}
