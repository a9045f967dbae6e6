import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RECONCILER_SCHEDULE, scheduleIdOf } from '../../domain/names.ts';
import { until } from '../support/client.ts';
import { schedulesIn } from '../support/schedules.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await enterWorld('temporal', 'sql');
  user = await world.newUser('operator', { runsCode: true });
});
afterAll(async () => {
  await world.sql('update tasks set enabled = false where owner_id = ?', [user.id]);
  await world.close();
});

const base = '/api/myntrix/tasks';
// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
type Answer = Record<string, any>;

const ask = (status: number, method: string, path: string, body?: unknown, who = user): Promise<Answer> =>
  expectStatus(status, world.api(method, `${base}${path}`, { token: who.token, body }));
const historyOf = async (id: string, query = ''): Promise<Answer[]> =>
  (await ask(200, 'GET', `/${id}/history${query}`)) as Answer[];
const untilHistory = (id: string, done: (all: Answer[]) => boolean): Promise<Answer[]> =>
  until(() => historyOf(id), done, 60_000);
const untilTick = (id: string, done: (tick: Answer) => boolean): Promise<Answer> =>
  until(() => ask(200, 'GET', `/history/${id}`), done, 60_000);
const ended = ({ status }: Answer) => !['pending', 'running'].includes(status);
const shell = (code: string, more: object = {}) => ({ type: 'script', language: 'shell', code, ...more });
const never = { schedule: '0 0 1 1 *', timezone: 'Europe/Berlin' };
const made = (body: object, who = user) => ask(201, 'POST', '', { name: 'test', ...never, ...body }, who);
const ran = async (id: string): Promise<Answer> =>
  untilTick((await ask(202, 'POST', `/${id}/run`)).run_id, ended);
const removed = (id: string) => ask(204, 'DELETE', `/${id}`);

async function listening(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** What the platform does by itself every now and then, now. */
const reconciled = () => world.temporal.schedule.getHandle(RECONCILER_SCHEDULE).trigger('BUFFER_ONE');

const { until: untilTemporal } = schedulesIn(() => world);

describe('A task', () => {
  test.concurrent('that comes every second has one tick for each, and is told to whoever watches', async () => {
    const events = await world.watch(user, '/ws/events?topics=tasks,jobs');
    const task = await made({ schedule: '* * * * * *', action: shell('echo hello'), overlap: 'buffer_all' });
    expect(task).toMatchObject({ enabled: true, overlap: 'buffer_all', lastRun: null, problem: null });
    expect(task.nextRuns).toHaveLength(5);
    await untilHistory(task.id, (all) => all.filter(({ status }) => status === 'success').length >= 3);
    // Paused, what has not begun is seen as missed; each second has one row and one only.
    expect(await ask(200, 'POST', `/${task.id}/pause`)).toMatchObject({ enabled: false, nextRuns: [] });
    await untilTemporal(task.id, (found) => found?.state.paused === true);
    const all = (await untilHistory(task.id, (list) => list.every(ended))).reverse();
    const seconds = all.map(({ scheduledAt }) => Date.parse(scheduledAt) / 1_000);
    expect(seconds).toEqual(seconds.map((_, at) => (seconds[0] ?? 0) + at));
    const [first] = all.filter(({ status }) => status === 'success');
    expect(first).toMatchObject({
      trigger: 'schedule',
      attempt: 1,
      overran: expect.any(Boolean),
      taskId: task.id,
    });
    expect(first?.logs).toMatch(/attempt 1: run .*\n.*attempt 1: completed\nhello\n/);
    const job = await expectStatus(
      200,
      world.api('GET', `/api/myntrix/jobs/${first?.job_id}`, { token: user.token }),
    );
    expect(job).toMatchObject({
      type: 'task_run',
      status: 'completed',
      name: 'test',
      details: { task_id: task.id },
    });
    expect(job.logs).toMatch(/hello/);
    const run = await world.untilRun(user, first?.run_id, () => true);
    expect(run.trigger).toMatchObject({ kind: 'schedule', at: first?.scheduledAt });

    // Its steps are listed nowhere, and changed with it alone.
    const workflows = await expectStatus(
      200,
      world.api('GET', '/api/neosyntis/workflows', { token: user.token }),
    );
    expect(workflows.map(({ id }: Answer) => id)).not.toContain(run.workflow_id);
    for (const [method, body] of [['DELETE'], ['PUT', { name: 'x' }]] as const)
      await expectStatus(
        409,
        world.api(method, `/api/neosyntis/workflows/${run.workflow_id}`, { token: user.token, body }),
      );

    const types = () => events.frames.filter(({ topic }) => topic === 'tasks').map(({ event }) => event.type);
    await events.next(() => types().includes('dev.vareon.task.paused'));
    for (const what of ['created', 'run.pending', 'run.running', 'run.success'])
      expect(types()).toContain(`dev.vareon.task.${what}`);
    events.close();

    // Pages and filters.
    const [newest] = await historyOf(task.id, '?limit=1&status=success');
    const next = await historyOf(task.id, `?limit=1&status=success&cursor=${newest?.id}`);
    expect(next[0]?.scheduledAt < newest?.scheduledAt).toBe(true);
    expect(await historyOf(task.id, '?trigger=manual')).toEqual([]);
    const at = first?.scheduledAt;
    expect((await historyOf(task.id, `?from=${at}&to=${at}`)).map(({ id }) => id)).toEqual([first?.id]);

    // The period before it was made is made up for, in order; what ran does not run again.
    const from = new Date(Date.parse(all[0]?.scheduledAt) - 2_000).toISOString();
    const to = all.at(-1)?.scheduledAt;
    const made2 = await ask(202, 'POST', `/${task.id}/backfill`, { from, to });
    const missed = all.filter(({ status }) => status !== 'success').length;
    expect(made2.run_ids).toHaveLength(2 + missed);
    const again = await untilHistory(task.id, (list) => list.every(({ status }) => status === 'success'));
    expect(again).toHaveLength(all.length + 2);
    await ask(409, 'POST', `/${task.id}/backfill`, { from, to });

    const rerun = await ask(202, 'POST', `/history/${first?.id}/rerun`);
    expect(await untilTick(rerun.run_id, ended)).toMatchObject({
      status: 'success',
      trigger: 'rerun',
      rerunOf: first?.id,
    });
    await removed(task.id);
    await untilTemporal(task.id, (found) => found === undefined);
    await ask(404, 'GET', `/${task.id}`);
  });

  test.concurrent('is carried by Temporal as its row says, whoever was killed between the two', async () => {
    const task = await made({
      schedule: 'every 1h',
      action: shell('true'),
      jitterSeconds: 60,
      catchUpSeconds: 120,
    });
    const found = await untilTemporal(task.id, (one) => one !== undefined);
    expect(found).toMatchObject({
      spec: { intervals: [{ every: 3_600_000 }], jitter: 60_000 },
      policies: { catchupWindow: 120_000 },
    });
    // As a kill between the two leaves it: a row without a schedule, and one that is as it was before.
    await world.temporal.schedule.getHandle(scheduleIdOf(task.id)).delete();
    await reconciled();
    await untilTemporal(task.id, (one) => one !== undefined);
    const timing = JSON.stringify({ kind: 'every', every_ms: 7_200_000 });
    await world.sql('update schedules set timing = ?::jsonb where subject_id = ?', [timing, task.id]);
    await reconciled();
    await untilTemporal(task.id, (one) => one?.spec.intervals?.[0]?.every === 7_200_000);
    await removed(task.id);
  });

  test.concurrent('does what it does by requests, agents and workflows, tries again and gives up', async () => {
    let asked = 0;
    const { server, url } = await listening((request, response) => {
      asked += 1;
      response.statusCode =
        request.url === '/flaky' && asked < 3 ? 418 : request.url === '/teapot' ? 418 : 200;
      response.end('ok');
    });
    try {
      const flaky = await made({
        action: JSON.stringify({
          type: 'api',
          url: `${url}/flaky`,
          retry: { attempts: 5, delaySeconds: 0 },
        }),
      });
      expect(flaky.action).toMatchObject({ type: 'api', retry: { attempts: 5 } });
      expect(await ran(flaky.id)).toMatchObject({ status: 'success', attempt: 3 });
      const expecting = (path: string, status: number) =>
        made({ action: { type: 'api', url: `${url}${path}`, expect: { status: [status] } } });
      expect(await ran((await expecting('/teapot', 418)).id)).toMatchObject({ status: 'success' });
      const wrong = await ran((await expecting('/', 204)).id);
      expect(wrong).toMatchObject({
        status: 'failed',
        reason: expect.stringMatching(/answered 200; expected 204/),
      });

      const workflow = await world.newWorkflow(user, [{ tell: { set: { seen: '${ .word }' } } }]);
      const calls = await made({ action: { type: 'workflow', workflowId: workflow, input: { word: 'hi' } } });
      const called = await ran(calls.id);
      expect((await world.untilRun(user, called.run_id, () => true)).output).toEqual({ seen: 'hi' });
      await expectStatus(
        204,
        world.api('DELETE', `/api/neosyntis/workflows/${workflow}`, { token: user.token }),
      );
      expect(await ran(calls.id)).toMatchObject({
        status: 'failed',
        reason: expect.stringMatching(/is gone/),
      });

      const agent = await expectStatus(
        201,
        world.api('POST', '/api/myntrix/agents', {
          token: user.token,
          body: { name: 'of a task', configuration: { command: 'sleep', args: ['300'] } },
        }),
      );
      const starts = await made({ action: 'agent', target: agent.id });
      expect(await ran(starts.id)).toMatchObject({ status: 'success', run_id: null });
      await ask(200, 'PUT', `/${starts.id}`, {
        action: { type: 'agent', agentId: agent.id, command: 'stop' },
      });
      expect(await ran(starts.id)).toMatchObject({ status: 'success' });
      await expectStatus(204, world.api('DELETE', `/api/myntrix/agents/${agent.id}`, { token: user.token }));
      expect(await ran(starts.id)).toMatchObject({
        status: 'failed',
        reason: expect.stringMatching(/no agent/),
      });

      const slow = await made({ action: shell('sleep 60', { timeoutSeconds: 1 }) });
      expect(await ran(slow.id)).toMatchObject({
        status: 'failed',
        reason: expect.stringMatching(/longer than 1000 ms/),
      });
    } finally {
      server.close();
    }
  });
});

describe('An agent with a schedule', () => {
  test.concurrent('has a task for each order, which is changed with it alone and goes with it', async () => {
    const agents = async (status: number, method: string, path: string, body?: unknown) =>
      expectStatus(status, world.api(method, `/api/myntrix/agents${path}`, { token: user.token, body }));
    const configuration = { command: '/bin/sleep', args: ['600'] };
    const often = { start: 'every 1s', stop: never.schedule, timezone: 'Europe/Berlin' };
    const name = `by the clock ${Date.now()}`;
    const agent = await agents(201, 'POST', '', {
      name,
      configuration: { ...configuration, schedule: often },
    });
    const own = async () =>
      ((await ask(200, 'GET', '?limit=200')) as Answer[]).filter(({ agentId }) => agentId === agent.id);
    const isRunning = ({ status }: Answer) => status === 'running';
    await until(() => agents(200, 'GET', `/${agent.id}`), isRunning, 60_000);
    const [stop, start] = (await own()).sort((one, other) => (one.name < other.name ? 1 : -1));
    expect(stop).toMatchObject({ name: `stop ${name}`, timezone: 'Europe/Berlin', schedule: never.schedule });
    expect(start).toMatchObject({ action: { type: 'agent', agentId: agent.id, command: 'start' } });
    await untilHistory(start?.id, (all) => all.some(({ status }) => status === 'success'));

    for (const [method, body] of [['PUT', { name: 'mine' }], ['DELETE']] as const)
      await ask(409, method, `/${start?.id}`, body);
    await ask(200, 'POST', `/${start?.id}/pause`);
    // One that is as it was stays paused; one that is not wanted any more goes.
    const rarely = { start: 'every 1s', restart: '@yearly', timezone: 'Europe/Berlin' };
    await agents(200, 'PUT', `/${agent.id}`, { configuration: { ...configuration, schedule: rarely } });
    const changed = await own();
    expect(changed.map((task) => [task.name, task.enabled]).sort()).toEqual([
      [`restart ${name}`, true],
      [`start ${name}`, false],
    ]);
    await untilTemporal(stop?.id, (found) => found === undefined);
    await agents(204, 'DELETE', `/${agent.id}`);
    expect(await own()).toEqual([]);
    for (const { id } of changed) await untilTemporal(id, (found) => found === undefined);

    const impossible = { ...configuration, schedule: { stop: '0 0 31 2 *', timezone: 'Europe/Atlantis' } };
    const refused = await agents(422, 'POST', '', { name, configuration: impossible });
    expect(refused.errors).toEqual([
      { path: '/configuration/schedule/timezone', message: expect.stringMatching(/no IANA time zone/) },
    ]);
    const never2 = { ...configuration, schedule: { stop: '0 0 31 2 *' } };
    expect((await agents(422, 'POST', '', { name, configuration: never2 })).errors).toEqual([
      { path: '/configuration/schedule/stop', message: expect.stringMatching(/never comes/) },
    ]);
  });
});

describe('A tick that comes while another one goes on', () => {
  test.concurrent('is skipped, and its people are told; the other one is shown to have overrun', async () => {
    const posted: Answer[] = [];
    const { server, url } = await listening((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        posted.push(JSON.parse(body));
        response.end();
      });
    });
    const task = await made({
      schedule: 'every 1s',
      action: shell('sleep 100'),
      notify: {
        on: ['skipped'],
        email: [`${user.username}@example.org`],
        webhook: { url: `${url}/`, secret: 'whsec_AAECAwQFBgcICQoLDA0ODw==' },
      },
    });
    expect(task.notify.webhook).toEqual({ url: `${url}/`, hasSecret: true });
    const all = await untilHistory(task.id, (list) => list.some(({ status }) => status === 'skipped'));
    const [skipped] = all.filter(({ status }) => status === 'skipped');
    expect(skipped).toMatchObject({
      reason: expect.stringMatching(/still going on/),
      job_id: null,
      startTime: null,
    });
    await ask(200, 'POST', `/${task.id}/pause`);
    const [goes] = (await historyOf(task.id)).filter(
      ({ status }) => status === 'running' || status === 'pending',
    );
    expect(goes).toMatchObject({ overran: true });
    await ask(409, 'POST', `/${task.id}/run`);
    const cancel = () => world.api('POST', `/api/myntrix/jobs/${goes?.job_id}/cancel`, { token: user.token });
    await until(cancel, ({ status }) => status === 202, 60_000);
    await untilTick(goes?.id, ({ status }) => status === 'cancelled');
    await reconciled();
    await until(
      async () => posted,
      (list) => list.some(({ type }) => type === 'task.run.skipped'),
      60_000,
    );
    expect(posted[0]?.data).toMatchObject({ task_id: task.id, name: 'test' });
    const mails = () =>
      world.sql<{ subject: string }>('select subject from outbox_mails where "to" = ?', [
        `${user.username}@example.org`,
      ]);
    await until(mails, (list) => list.some(({ subject }) => subject === 'test: a tick was skipped'), 60_000);
    server.close();
    await removed(task.id);
  });

  test.concurrent('waits, or takes the place of the other one, as the task says', async () => {
    const task = await made({ action: shell('sleep 100'), overlap: 'buffer_one' });
    const run = async (status = 202) => (await ask(status, 'POST', `/${task.id}/run`)).run_id;
    const one = await run();
    await untilTick(one, ({ status }) => status === 'running');
    const two = await run();
    await run(409); // one goes on, and one waits
    await expectStatus(202, world.api('POST', `/api/myntrix/jobs/${two}/cancel`, { token: user.token }));
    await untilTick(two, ({ status }) => status === 'cancelled');
    await ask(200, 'PUT', `/${task.id}`, { overlap: 'cancel_other' });
    const three = await run();
    await untilTick(one, ({ status }) => status === 'cancelled');
    await untilTick(three, ({ status }) => status === 'running');
    await ask(200, 'PUT', `/${task.id}`, { overlap: 'terminate_other' });
    const four = await run();
    expect(await untilTick(three, ended)).toMatchObject({
      status: 'cancelled',
      reason: 'A later tick came.',
    });
    await untilTick(four, ({ status }) => status === 'running');
    // What it ran is cancelled, too.
    const { run_id } = await untilTick(three, () => true);
    await world.untilRun(user, run_id, ({ status }) => status === 'cancelled');
    await ask(200, 'PUT', `/${task.id}`, { overlap: 'allow_all', action: shell('true') });
    expect(await ran(task.id)).toMatchObject({ status: 'success' });
    await until(
      () => world.api('POST', `/api/myntrix/jobs/${four}/cancel`, { token: user.token }),
      ({ status }) => status === 202,
      60_000,
    );
    await untilTick(four, ended);
    await removed(task.id);
  });

  test.concurrent('that was missed while the platform was away is in the history, and those in time run once each', async () => {
    const minute = 60_000;
    const now = Math.floor(Date.now() / minute) * minute;
    const task = await made({ schedule: '* * * * *', action: shell('true'), catchUpSeconds: 240 });
    // As after an hour away: nothing before this was written, and Temporal makes up for what is in the window.
    await world.sql("update tasks set next_at = now() - interval '12 minutes' where id = ?", [task.id]);
    await reconciled();
    await untilHistory(task.id, (all) => all.filter(({ status }) => status === 'missed').length >= 7);
    await world.temporal.schedule.getHandle(scheduleIdOf(task.id)).backfill({
      start: new Date(now - 9 * minute),
      end: new Date(now),
      overlap: 'ALLOW_ALL',
    });
    const all = await untilHistory(
      task.id,
      (list) => list.filter(({ status }) => status === 'success').length >= 2 && list.every(ended),
    );
    const times = all.map(({ scheduledAt }) => scheduledAt);
    expect(new Set(times).size).toBe(times.length);
    const success = all
      .filter(({ status }) => status === 'success')
      .map(({ scheduledAt }) => Date.parse(scheduledAt));
    for (const { scheduledAt, status } of all)
      if (status === 'missed') expect(Date.parse(scheduledAt)).toBeLessThan(Math.min(...success));
    await removed(task.id);
  });
});

describe('A task whose ticks fail', () => {
  test.concurrent('is paused when it says so, and does what its owner may', async () => {
    const owner = await world.newUser('operator', { runsCode: true });
    const body = {
      name: 'fails',
      ...never,
      schedule: 'every 1s',
      action: shell('exit 3'),
      pauseOnFailure: true,
    };
    const task = await ask(201, 'POST', '', body, owner);
    const read = () => ask(200, 'GET', `/${task.id}`, undefined, owner);
    const paused = await until(read, ({ enabled }) => enabled === false, 60_000);
    expect(paused.pausedReason).toMatch(/failed/);
    const failed = await ask(200, 'GET', `/${task.id}/history?status=failed`, undefined, owner);
    expect(failed.length).toBeGreaterThanOrEqual(1);
    await untilTemporal(task.id, (found) => found?.state.paused === true);
    await expectStatus(
      200,
      world.api('PUT', `/api/users/${owner.id}`, {
        token: world.admin.token,
        body: { granted_permissions: [] },
      }),
    );
    const { run_id } = await ask(202, 'POST', `/${task.id}/run`, undefined, world.admin); // their token does not count any more
    const tick = () => ask(200, 'GET', `/history/${run_id}`, undefined, world.admin);
    expect(await until(tick, ended, 60_000)).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/execute_code/),
    });
    await ask(404, 'GET', `/${task.id}`);
    await ask(404, 'POST', `/${task.id}/run`);
    await ask(204, 'DELETE', `/${task.id}`, undefined, world.admin);
  });
});

describe('Of a task is refused', () => {
  test.concurrent('what could never come, in no zone, or with nothing to do', async () => {
    const refused = async (body: object) =>
      (await ask(422, 'POST', '', { name: 'test', ...never, action: shell('true'), ...body })).errors;
    expect(await refused({ schedule: '0 0 31 2 *' })).toEqual([
      { path: '/schedule', message: expect.stringMatching(/never comes/) },
    ]);
    expect(await refused({ timezone: 'Europe/Berlim' })).toEqual([
      { path: '/timezone', message: expect.stringMatching(/did you mean Europe\/Berlin/) },
    ]);
    expect(await refused({ endAt: '2020-01-01T00:00:00.000Z' })).toMatchObject([{ path: '/schedule' }]);
    expect(
      await refused({ action: { type: 'workflow', workflowId: '01980000-0000-7000-8000-000000000000' } }),
    ).toEqual([{ path: '/action/workflowId', message: expect.stringMatching(/no workflow/) }]);
    expect(await refused({ action: { type: 'api' } })).toMatchObject([{ path: '/action' }]);
    expect(await refused({ action: 'api' })).toMatchObject([{ path: '/target' }]);
    expect(await refused({ action: { type: 'api', url: 'ftp://example.org' } })).toMatchObject([
      { path: '/action/url' },
    ]);
    expect(await refused({ action: { type: 'fly' } })).toMatchObject([{ path: '/action/type' }]);
    const plain = await world.newUser('operator');
    await ask(403, 'POST', '', { name: 'x', ...never, action: shell('true') }, plain);
  });

  test.concurrent('a preview that is wrong; a good one says where clocks change', async () => {
    const preview = (status: number, body: object) => ask(status, 'POST', '/preview', body);
    await preview(422, { schedule: '0 0 31 2 *' });
    await preview(422, { schedule: '* * * * *', timezone: 'Mars/Olympus' });
    const spring = await preview(200, {
      schedule: '15 30 2 * * *',
      timezone: 'Europe/Berlin',
      from: '2027-03-27T00:00:00.000Z',
    });
    expect(spring.next.slice(0, 3).map(({ local }: Answer) => local)).toEqual([
      '2027-03-27T02:30:15+01:00',
      '2027-03-28T03:00:00+02:00',
      '2027-03-29T02:30:15+02:00',
    ]);
    expect(spring.clock_changes).toHaveLength(1);
    expect(await preview(200, { schedule: '@daily', timezone: 'Europe/Berlin' })).toMatchObject({
      cron: '0 0 * * *',
      timezone: 'Europe/Berlin',
    });
    expect((await preview(200, { schedule: 'every 10m' })).next).toHaveLength(10);
  });
});
