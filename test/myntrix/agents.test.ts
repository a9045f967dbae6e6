import { once } from 'node:events';
import { existsSync, rmSync, symlinkSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { running, uniqueNap } from '../processes/rig.ts';
import { until } from '../support/client.ts';
import { createHosts } from '../support/host.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let hosts: ReturnType<typeof createHosts>;
beforeAll(async () => {
  world = await enterWorld('sql', 'temporal');
  user = await world.newUser('operator', { runsCode: true });
  hosts = createHosts({ url: world.url, api: world.api, token: world.admin.token });
});
/** Agents outlive the platform, and so a test that failed. */
afterAll(async () => {
  const left = await world.sql<{ id: string }>('select id from agents where owner_id = ? and not removed', [
    user.id,
  ]);
  for (const { id } of left) await remove(id);
  const rest = "select 1 from agents where owner_id = ? and host = 'local'"; // a host that was ended answers no more
  await until(
    () => world.sql(rest, [user.id]),
    (rows) => rows.length === 0,
    60_000,
  );
  await hosts.close();
  await world.close();
});

const path = '/api/myntrix/agents';
// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
type Answer = Record<string, any>;

const make = async (configuration: object, name = 'test'): Promise<Answer> =>
  expectStatus(201, world.api('POST', path, { token: user.token, body: { name, configuration } }));
const get = async (id: string): Promise<Answer> =>
  (await world.api('GET', `${path}/${id}`, { token: user.token })).body;
const untilAgent = (id: string, done: (agent: Answer) => boolean): Promise<Answer> =>
  until(() => get(id), done, 60_000);
const give = (id: string, action: string, query = '?wait=60'): Promise<Answer> =>
  expectStatus(202, world.api('POST', `${path}/${id}/${action}${query}`, { token: user.token }));
const job = async (id: string): Promise<Answer> =>
  (await world.api('GET', `/api/myntrix/jobs/${id}`, { token: user.token })).body;
const remove = (id: string) => expectStatus(204, world.api('DELETE', `${path}/${id}`, { token: user.token }));
/** What it printed; its host is asked again when it did not answer in time. */
const logOf = async (id: string, query = ''): Promise<Answer> =>
  (
    await until(
      () => world.api('GET', `${path}/${id}/logs${query}`, { token: user.token }),
      ({ status }) => status !== 503,
      60_000,
    )
  ).body;
const shell = (script: string, more: object = {}) => ({ command: '/bin/sh', args: ['-c', script], ...more });

describe('An agent', () => {
  test('is started, followed, changed, restarted, stopped and deleted, and everybody who watches is told', async () => {
    const events = await world.watch(user, '/ws/events?topics=agents,jobs');
    const counting = 'i=0; while :; do i=$((i+1)); echo "$WORD $i"; sleep 0.02; done';
    const made = await make(shell(counting, { env: { WORD: 'one' } }));
    expect(made).toMatchObject({
      status: 'stopped',
      desired: 'stopped',
      health: 0,
      pid: null,
      restarts: 0,
      owner_id: user.id,
      type: '',
      host: expect.any(String),
    });
    const started = await give(made.id, 'start');
    expect(started.agent).toMatchObject({
      status: 'running',
      desired: 'running',
      health: 100,
      pid: expect.any(Number),
    });
    expect(await job(started.job_id)).toMatchObject({
      type: 'agent_start',
      status: 'completed',
      details: { agent_id: made.id },
    });
    expect((await give(made.id, 'start')).agent.pid).toBe(started.agent.pid); // it runs already

    const jobsOf = await world.api('GET', `/api/myntrix/jobs?host=${made.host}&type=agent_start`, {
      token: user.token,
    });
    expect(jobsOf.body.map(({ id }: Answer) => id)).toContain(started.job_id);
    const other = await world.api('GET', '/api/myntrix/jobs?host=elsewhere', { token: user.token });
    expect(other.body).toEqual([]);
    const system = await world.api('GET', '/api/system/status', { token: user.token });
    expect(system.body.modules.myntrix.details.agents).toMatchObject({
      running: expect.any(Number),
      error: expect.any(Number),
    });
    expect(system.body.modules.myntrix.details.agents.running).toBeGreaterThan(0);

    const socket = await world.watch(user, `/ws/myntrix/agents/${made.id}/logs?tail=262144`);
    const logs = () => socket.frames.filter(({ type }) => type !== 'ping');
    await socket.next(() =>
      /one 20\n/.test(
        logs()
          .map(({ text }) => text)
          .join(''),
      ),
    );
    const [first, ...rest] = logs();
    expect(first).toMatchObject({ type: 'snapshot', offset: 0 });
    expect(rest.every((frame, n) => frame.type === 'log' && frame.offset === logs()[n]?.seq)).toBe(true);
    expect(
      logs()
        .map(({ text }) => text)
        .join(''),
    ).toMatch(/^one 1\none 2\n/);
    socket.close();
    const page = await logOf(made.id, '?offset=6&follow=true');
    expect(page).toMatchObject({ offset: 6, text: expect.stringMatching(/^one 2\none 3\n/) });

    const configuration = { ...made.configuration, env: { WORD: 'two' } };
    await expectStatus(
      200,
      world.api('PUT', `${path}/${made.id}`, {
        token: user.token,
        body: { ...made, status: undefined, name: 'renamed', configuration, desired: 'running' },
      }),
    );
    const again = await give(made.id, 'restart');
    expect(again.agent).toMatchObject({ name: 'renamed', status: 'running' });
    expect(again.agent.pid).not.toBe(started.agent.pid);
    await until(
      async () => (await logOf(made.id)).text,
      (log) => /two 1\n/.test(log),
      60_000,
    );

    const stopped = await give(made.id, 'stop');
    expect(stopped.agent).toMatchObject({ status: 'stopped', desired: 'stopped', pid: null });
    expect(existsSync(`/proc/${again.agent.pid}`)).toBe(false);
    const log = await logOf(made.id);
    expect(log.text).toMatch(/^one 1\n/); // after its end, too
    await remove(made.id);
    expect((await world.api('GET', `${path}/${made.id}`, { token: user.token })).status).toBe(404);
    await until(
      () => world.sql('select 1 from agents where id = ?', [made.id]),
      (rows) => rows.length === 0,
      60_000,
    );

    await events.next(({ event }) => event?.type === 'dev.vareon.agent.deleted' && event.subject === made.id);
    const told = events.frames.flatMap(({ event }) =>
      event?.subject === made.id ? [event.type as string] : [],
    );
    events.close();
    const states = told.map((type) => type.slice('dev.vareon.agent.'.length));
    expect(states.filter((state, at) => state !== states[at - 1])).toEqual([
      'starting',
      'running',
      'starting',
      'running',
      'stopping',
      'stopped',
      'deleted',
    ]);
  });

  test('that crashes comes back by itself, and one that cannot run says why, with its last words', async () => {
    const [crashing, hopeless, missing] = await Promise.all([
      make(shell('sleep 86400', { backoff: { initialMs: 0 } })),
      make(shell('echo last words; exit 3', { maxRestarts: 1, backoff: { initialMs: 0 } })),
      make({ command: '/no/such/program' }),
    ]);
    const { agent } = await give(crashing.id, 'start');
    process.kill(agent.pid, 'SIGKILL');
    const back = await untilAgent(crashing.id, (now) => now.status === 'running' && now.pid !== agent.pid);
    expect(back).toMatchObject({ restarts: 1, health: 98, lastEnd: { cause: 'exit', signal: 'SIGKILL' } });
    await give(hopeless.id, 'start');
    expect(
      await untilAgent(hopeless.id, ({ status, lastEnd }) => status === 'error' && lastEnd?.log),
    ).toMatchObject({
      status: 'error',
      desired: 'running',
      lastEnd: { code: 3, log: expect.stringContaining('last words') },
    });
    const failed = await give(missing.id, 'start');
    expect(await job(failed.job_id)).toMatchObject({
      status: 'failed',
      details: { reason: expect.stringContaining('/no/such/program') },
    });
    expect(failed.agent).toMatchObject({
      status: 'error',
      lastEnd: { cause: 'not_started', message: expect.stringContaining('/no/such/program') },
    });
    expect((await give(hopeless.id, 'stop')).agent).toMatchObject({ status: 'stopped', desired: 'stopped' });
    for (const { id } of [crashing, hopeless, missing]) await remove(id);
    await until(
      async () => existsSync(`/proc/${back.pid}`),
      (runs) => !runs,
      60_000,
    );
  });

  test('is started, restarted and stopped by steps of workflows, as the owner of the run may', async () => {
    const name = `by steps ${Date.now()}`;
    const made = await make({ command: 'sleep', args: ['86400'] }, name);
    const hopeless = await make({ command: '/no/such/program' });
    const failing = (agent: string) => ({
      try: [{ give: { call: 'agent.start', with: { agent } } }],
      catch: { as: 'problem', do: [{ told: { set: '${ $problem }' } }] },
    });
    const steps = [
      { up: { call: 'agent.start', with: { agent: '${ .name }' }, export: { as: '${ {up: .} }' } } },
      {
        again: {
          call: 'agent.start',
          with: { agent: made.id },
          export: { as: '${ $context + {again: .} }' },
        },
      },
      {
        anew: {
          call: 'agent.restart',
          with: { agent: made.id },
          export: { as: '${ $context + {anew: .} }' },
        },
      },
      { down: { call: 'agent.stop', with: { agent: made.id }, export: { as: '${ $context + {down: .} }' } } },
      { cannot: { ...failing(hopeless.id), export: { as: '${ $context + {cannot: .} }' } } },
      { missing: { ...failing('no such agent'), export: { as: '${ $context + {missing: .} }' } } },
      { done: { set: '${ $context }' } },
    ];
    const { status, output, error } = await world.run(user, steps, { name });
    expect({ status, error }).toEqual({ status: 'completed', error: null });
    expect(output).toEqual({
      up: { agent_id: made.id, name, status: 'running', pid: expect.any(Number), job_id: expect.any(String) },
      again: { ...output.up, job_id: expect.any(String) },
      anew: { ...output.up, pid: expect.any(Number), job_id: expect.any(String) },
      down: { ...output.up, status: 'stopped', pid: null, job_id: expect.any(String) },
      cannot: expect.objectContaining({ status: 500, detail: expect.stringContaining('/no/such/program') }),
      missing: expect.objectContaining({ status: 400, detail: 'There is no agent "no such agent".' }),
    });
    expect(output.anew.pid).not.toBe(output.up.pid);
    expect(await job(output.anew.job_id)).toMatchObject({ type: 'agent_restart', status: 'completed' });
    const other = await world.newUser('operator');
    expect(await world.run(other, [{ up: { call: 'agent.start', with: { agent: made.id } } }])).toMatchObject(
      {
        status: 'failed',
        error: { status: 403 },
      },
    );
    await remove(made.id);
    await remove(hopeless.id);
  });

  test('that does what it should not is ended whole, and says why it ended', async () => {
    const [daemon, nap] = [uniqueNap(), uniqueNap()];
    const never = { restart: 'never', backoff: { initialMs: 0 } };
    let asked = 0;
    const server = createServer((socket) => {
      asked++;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // of a TCP server
    const [notExecutable, daemonized, endless, stubborn, python, listening] = await Promise.all([
      make({ command: '/etc/passwd' }),
      make(shell(`setsid sleep ${daemon} & exit 0`, never)), // leaves its own session to a daemon
      make(shell('while :; do echo 0123456789; done', { logs: { maxBytes: 65_536, files: 2 } })),
      make(shell(`trap '' TERM; while :; do sleep ${nap}; done`, { killTimeoutMs: 50 })),
      make({
        runtime: 'python',
        code: 'import sys; print("python", sys.argv[1]); sys.exit(4)',
        args: ['says'],
        ...never,
      }),
      make({ runtime: 'node', code: 'setInterval(() => {}, 60_000)' }),
    ]);
    const all = [notExecutable, daemonized, endless, stubborn, python, listening];
    const answers = await Promise.all(all.map(({ id }) => give(id, 'start')));
    expect(answers[0]?.agent).toMatchObject({
      status: 'error',
      lastEnd: { cause: 'not_started', message: expect.stringContaining('/etc/passwd') },
    });
    expect(await untilAgent(daemonized.id, ({ status }) => status === 'stopped')).toMatchObject({
      desired: 'stopped',
    });
    await until(
      async () => running(daemon),
      (left) => left.length === 0,
      60_000,
    );
    expect(
      await untilAgent(python.id, ({ status, lastEnd }) => status === 'error' && lastEnd?.log),
    ).toMatchObject({ lastEnd: { code: 4, log: 'python says\n' } });

    await untilAgent(endless.id, ({ logBytes }) => logBytes > 1_000_000);
    await give(endless.id, 'stop');
    const page = await logOf(endless.id);
    expect(page.offset).toBeGreaterThan(0); // what came first is not kept
    expect(page.total - page.offset).toBeLessThan(1_000_000);

    await until(
      async () => running(nap),
      (found) => found.length > 0,
      60_000,
    );
    expect((await give(stubborn.id, 'stop')).agent).toMatchObject({ status: 'stopped' });
    expect(running(nap)).toEqual([]);

    const { token } = user;
    const url = `${path}/${listening.id}`;
    const tag = String((await world.api('GET', url, { token })).headers.etag);
    const healthCheck = { tcp: { port }, intervalMs: 100, failureThreshold: 2 };
    const body = { configuration: { ...listening.configuration, healthCheck, backoff: { initialMs: 0 } } };
    const change = () => world.api('PUT', url, { token, body, headers: { 'If-Match': tag } });
    await expectStatus(200, change());
    expect((await change()).status).toBe(412); // it is another one by now
    await give(listening.id, 'restart');
    await until(
      async () => asked,
      (times) => times > 1,
      60_000,
    );
    expect(await get(listening.id)).toMatchObject({ restarts: 0, health: 100 });
    server.close();
    const sick = await untilAgent(listening.id, ({ restarts }) => restarts > 0);
    expect(sick.lastEnd).toMatchObject({ cause: 'health', message: expect.stringContaining(`port ${port}`) });
    for (const { id } of all) await remove(id);
  });

  test('whose workflow somebody terminated goes on, and is followed again', async () => {
    const made = await make({ command: 'sleep', args: ['86400'] });
    const { agent } = await give(made.id, 'start');
    const handle = world.temporal.workflow.getHandle(`agent-${made.id}`);
    await handle.terminate('by hand');
    await until(
      async () => (await handle.describe()).status.name,
      (status) => status === 'RUNNING',
      60_000,
    ); // the reconciler's next pass
    expect(await get(made.id)).toMatchObject({ status: 'running', pid: agent.pid });
    expect((await give(made.id, 'stop')).agent).toMatchObject({ status: 'stopped' });
    expect(existsSync(`/proc/${agent.pid}`)).toBe(false);
    await remove(made.id);
  });

  test('is for those who may run code on its host', async () => {
    const other = await world.newUser('operator');
    const body = { name: 'x', configuration: { command: 'true' } };
    expect((await world.api('POST', path, { token: other.token, body })).status).toBe(403);
    const { id } = await make({ command: 'sleep', args: ['86400'], env: { WORD: 'hidden' } });
    expect((await world.api('POST', `${path}/${id}/start`, { token: other.token })).status).toBe(403);
    const viewer = await world.newUser('viewer');
    const seen = await expectStatus(200, world.api('GET', `${path}/${id}`, { token: viewer.token }));
    expect(seen.configuration.env).toEqual({ WORD: '***' });
    await remove(id);
  });

  test.each([
    [{}, '/configuration/command'],
    [{ command: 'x', runtime: 'node' }, '/configuration/command'],
    [{ runtime: 'python' }, '/configuration'],
    [{ command: 'x', env: { LD_PRELOAD: 'x' } }, '/configuration/env'],
    [{ command: 'x', stopSignal: 'SIGKILL' }, '/configuration/stopSignal'],
    [{ command: 'x', healthCheck: { tcp: { port: 1 }, http: { port: 1 } } }, '/configuration/healthCheck'],
    [{ command: 'x', cwd: 'here' }, '/configuration/cwd'],
  ])('of the configuration %j is refused at %s', async (configuration, at) => {
    const { status, body } = await world.api('POST', path, {
      token: user.token,
      body: { name: 'x', configuration },
    });
    expect(status).toBe(422);
    expect(JSON.stringify(body.errors)).toContain(`"path":"${at}`);
  });
});

test('An agent whose host’s worker is killed goes on, is unknown meanwhile, and is taken over as it is', async () => {
  const name = `agents-${Date.now().toString(36)}`;
  const host = await hosts.join(name);
  const nap = uniqueNap();
  const script = `i=0; sleep ${nap} & while :; do i=$((i+1)); echo $i; sleep 0.02; done`;
  const [lasting, unwanted] = await Promise.all([
    make(shell(script, { host: name, backoff: { initialMs: 0 }, maxRestarts: 3 })),
    make({ command: 'sleep', args: [uniqueNap()], host: name }),
  ]);
  const [{ agent }, { agent: second }] = await Promise.all([
    give(lasting.id, 'start'),
    give(unwanted.id, 'start'),
  ]);
  await untilNaps(nap, 1); // its number is known before it has done anything
  const events = await world.watch(user, '/ws/events?topics=agents');
  host.signal('SIGKILL');
  await host.ended;
  await events.next(
    ({ event }) => event?.type === 'dev.vareon.agent.unknown' && event.subject === lasting.id,
  );
  expect(await get(lasting.id)).toMatchObject({ status: 'unknown', desired: 'running' });
  const stop = await give(unwanted.id, 'stop', ''); // wanted while nobody can do it
  expect(await job(stop.job_id)).toMatchObject({ status: 'pending' });
  expect(running(nap)).toHaveLength(1);

  const back = hosts.start(['--name', name], host.dataDir);
  expect(await untilAgent(lasting.id, ({ status }) => status === 'running')).toMatchObject({
    pid: agent.pid,
    restarts: 0,
  });
  await events.next(
    ({ event }) => event?.type === 'dev.vareon.agent.stopped' && event.subject === unwanted.id,
  );
  expect(existsSync(`/proc/${second.pid}`)).toBe(false);
  expect(await untilJob(stop.job_id)).toMatchObject({ status: 'completed' });
  expect(running(nap)).toHaveLength(1); // never started twice

  process.kill(agent.pid, 'SIGKILL'); // an adopted one is looked after, and what it left is ended
  const again = await untilAgent(lasting.id, (now) => now.status === 'running' && now.pid !== agent.pid);
  expect(again).toMatchObject({ restarts: 1, lastEnd: { signal: 'SIGKILL' } });
  await untilNaps(nap, 1);
  const part = join(host.dataDir, 'agents', lasting.id, 'note.json.part');
  symlinkSync('/dev/full', part); // the host's disk is full: nothing is started that a later life would not know of
  process.kill(again.pid, 'SIGKILL');
  const full = await untilAgent(lasting.id, ({ status }) => status === 'error');
  expect(full.lastEnd).toMatchObject({ cause: 'not_started', message: expect.stringContaining('ENOSPC') });
  expect((await give(lasting.id, 'stop')).agent).toMatchObject({ status: 'stopped' });
  expect(running(nap)).toEqual([]);
  rmSync(part, { force: true });
  const { text } = await logOf(lasting.id);
  const numbers = text.trim().split('\n').map(Number);
  const cut = numbers.lastIndexOf(1);
  const count = (n: number) => Array.from({ length: n }, (_, at) => at + 1);
  expect(numbers).toEqual([...count(cut), ...count(numbers.length - cut)]); // no gap, nothing twice
  for (const { id } of [lasting, unwanted]) await remove(id);
  await until(
    () => world.sql('select 1 from agents where host = ?', [name]),
    (rows) => rows.length === 0,
    60_000,
  );
  events.close();
  back.signal('SIGTERM');
});

const untilNaps = (nap: string, wanted: number) =>
  until(
    async () => running(nap).length,
    (count) => count === wanted,
    60_000,
  );

const untilJob = (id: string) =>
  until(
    () => job(id),
    ({ status }) => status !== 'pending',
    60_000,
  );
