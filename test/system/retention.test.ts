import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ScheduleOverlapPolicy } from '@temporalio/client';
import { Client } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { createSequence } from '../../api/live/sequence.ts';
import { locks } from '../../db/locks.ts';
import { RETENTION_SCHEDULE } from '../../domain/names.ts';
import type { Pruned } from '../../domain/system/retention.ts';
import { until } from '../support/client.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let workflowId: string;

beforeAll(async () => {
  world = await enterWorld('sql', 'temporal');
  user = await world.newUser('operator', { runsCode: true });
  workflowId = await world.newWorkflow(user, [{ say: { run: { shell: { command: 'echo kept or not' } } } }]);
});
afterAll(() => world.close());

/** Starts a pass through its schedule and gives what it did. */
async function pass(): Promise<Pruned> {
  const schedule = world.temporal.schedule.getHandle(RETENTION_SCHEDULE);
  const actions = async () => {
    const { info } = await schedule.describe();
    return {
      count: info.numActionsTaken,
      ids: info.recentActions.map(({ action }) => action.workflow.workflowId),
    };
  };
  const { count } = await actions();
  // The schedule learns late that its last pass is over.
  await schedule.trigger(ScheduleOverlapPolicy.BUFFER_ONE);
  const { ids } = await until(actions, (now) => now.count > count, 120_000);
  return world.temporal.workflow.getHandle(ids.at(-1) ?? '').result();
}

/** How many rows of each kind were deleted, since the installation was made. */
const totals = async () =>
  new Map(
    (await world.sql<{ what: string; n: string }>('select what, rows as n from pruned')).map(
      ({ what, n }) => [what, Number(n)] as const,
    ),
  );

/**
 * Makes something old and has it deleted.
 * @returns how many rows of each kind went: by our pass, or by one that came by itself in this moment
 */
async function pruning(makeOld: () => Promise<unknown>): Promise<(what: string) => number> {
  const before = await totals();
  await makeOld();
  // One that meets another's lock, as a backup's, leaves the rest to the next one.
  await until(pass, ({ isFinished }) => isFinished, 120_000);
  const after = await totals();
  return (what) => (after.get(what) ?? 0) - (before.get(what) ?? 0);
}

/** Does something while a backup is being made, in which nothing is deleted. */
async function duringBackup(work: () => Promise<void>): Promise<void> {
  const backup = new Client(testStack().databaseUrl);
  await backup.connect();
  try {
    await backup.query('select pg_advisory_lock_shared($1)', [locks.maintenance]);
    await work();
  } finally {
    await backup.end();
  }
}

/** A run with all that it printed: that may come a moment after its end. */
async function ended(): Promise<string> {
  const { run_id } = await expectStatus(
    202,
    world.api('POST', `/api/neosyntis/workflows/${workflowId}/trigger`, { token: user.token }),
  );
  await world.untilRun(
    user,
    run_id,
    ({ status, steps }) => status === 'completed' && steps[0].logs === 'kept or not\n',
  );
  return run_id;
}

/** Makes a run's end lie that many days back. */
const age = (runId: string, days: number) =>
  world.sql('update jobs set ended_at = now() - make_interval(days => ?) where id = ?', [days, runId]);

const get = (path: string) => world.api('GET', path, { token: user.token });

const leftOf = async (runId: string) => {
  const [counts] = await world.sql<Record<string, number>>(
    `select (select count(*)::int from runs where id = ?) as runs,
       (select count(*)::int from run_steps where run_id = ?) as steps,
       (select count(*)::int from run_events where run_id = ?) as frames,
       (select count(*)::int from job_logs where job_id = ?) as logs,
       (select count(*)::int from log_streams where job_id = ?) as streams`,
    [runId, runId, runId, runId, runId],
  );
  return counts;
};

describe('Retention of runs', () => {
  test('deletes those that ended long ago, and keeps young ones, open ones and the latest of each workflow', async () => {
    const [old, young, latest] = [await ended(), await ended(), await ended()];
    const waiting = await world.newWorkflow(user, [{ long: { wait: { hours: 1 } } }]);
    const { body } = await world.api('POST', `/api/neosyntis/workflows/${waiting}/trigger`, {
      token: user.token,
    });
    await world.sql("update jobs set created_at = now() - interval '90 days' where id = ?", [body.run_id]);
    const { body: bulk } = await world.api('POST', '/api/neosyntis/runs/cancel', {
      token: user.token,
      body: { ids: [young] },
    });
    const { body: cancelling } = await until(
      () => get(`/api/myntrix/jobs/${bulk.job_id}`),
      ({ body }) => body.status === 'completed',
      60_000,
    );
    expect(cancelling).toMatchObject({ type: 'cancel_runs' });
    const gone = await pruning(() =>
      Promise.all([age(old, 31), age(young, 29), age(latest, 31), age(bulk.job_id, 31)]),
    );
    expect(gone('runs')).toBeGreaterThanOrEqual(1);
    expect((await get(`/api/neosyntis/runs/${old}`)).status).toBe(404);
    for (const job of [old, bulk.job_id]) expect((await get(`/api/myntrix/jobs/${job}`)).status).toBe(404);
    expect(await leftOf(old)).toEqual({ runs: 0, steps: 0, frames: 0, logs: 0, streams: 0 });
    expect((await get(`/api/neosyntis/runs/${young}`)).body.steps[0].logs).toBe('kept or not\n');
    expect((await get(`/api/neosyntis/runs/${latest}`)).body).toMatchObject({
      status: 'completed',
      steps: [{ status: 'completed', logs: '' }],
    });
    expect((await get(`/api/neosyntis/runs/${body.run_id}`)).body.status).not.toBe('failed');
    const { body: runs } = await get(`/api/neosyntis/workflows/${workflowId}/runs`);
    expect(runs.map(({ id }: Run) => id)).toEqual([latest, young]);
    const metrics = (await world.api('GET', '/metrics', { token: world.admin.token })).text;
    expect(metrics).toMatch(/vareon_pruned_rows_total\{what="runs"\} [1-9]/);
    await world.temporal.workflow.getHandle(body.run_id).cancel();
  });

  test('tells who asks for frames or text that are gone', async () => {
    const runId = await ended(); // the workflow's latest, so that the run itself stays
    const { body: before } = await get(`/api/myntrix/jobs/${runId}/logs`);
    await pruning(() => age(runId, 31));
    const socket = await world.watch(user, `/ws/neosyntis/runs/${runId}?after=0`);
    const snapshot = await socket.next(() => true);
    expect(snapshot).toMatchObject({
      type: 'snapshot',
      run: { status: 'completed' },
      steps: [{ name: 'say' }],
    });
    socket.close();
    const again = await world.watch(user, `/ws/neosyntis/runs/${runId}?after=${snapshot.seq}`);
    again.close();
    await again.closed;
    expect(again.frames).toEqual([]);
    const length = before.nextOffset;
    expect((await get(`/api/myntrix/jobs/${runId}/logs?offset=0`)).body).toEqual({
      offset: length,
      nextOffset: length,
      text: '',
      complete: true,
    });
  });

  test('keeps samples of machines for a day, their minutes for a week and their hours as long as is set', async () => {
    const host = `past-${uuidv7()}`;
    await world.sql(
      "insert into hosts (name, online, last_seen, announced_at, capabilities, sessions) values (?, false, now(), now(), '{}', 0)",
      [host],
    );
    const ages = [
      [0, 0.9],
      [0, 1.1],
      [60, 6],
      [60, 8],
      [3_600, 29],
      [3_600, 31],
    ];
    const gone = await pruning(async () => {
      for (const [step, days] of ages)
        await world.sql(
          `insert into system_metric_points (host, step, at, counts, sums, mins, maxs)
           values (?, ?, now() - ? * interval '1 day', '{1}', '{1}', '{1}', '{1}')`,
          [host, step, days],
        );
    });
    expect(gone('metrics')).toBeGreaterThanOrEqual(3);
    const left = await world.sql<{ step: number }>(
      'select step, round(extract(epoch from now() - at) / 86400)::int as days from system_metric_points where host = ? order by step',
      [host],
    );
    expect(left).toEqual([
      { step: 0, days: 1 },
      { step: 60, days: 6 },
      { step: 3_600, days: 29 },
    ]);
  });

  test('waits while a backup is being made', async () => {
    const old = await ended();
    await ended();
    await duringBackup(async () => {
      await age(old, 31);
      expect(await pass()).toEqual({ rows: {}, isFinished: false });
      expect((await get(`/api/neosyntis/runs/${old}`)).status).toBe(200);
    });
    await until(pass, ({ isFinished }) => isFinished, 120_000);
    expect((await get(`/api/neosyntis/runs/${old}`)).status).toBe(404);
  });
});

describe('Retention of events', () => {
  test('deletes the oldest, leaves no gap, and who asks for what is gone gets a fresh snapshot', async () => {
    await ended();
    await ended();
    const [first] = await world.sql<{ seq: string }>('select min(seq) as seq from events');
    const gone = Number(first?.seq) + 2;
    const pruned = await pruning(() =>
      world.sql("update events set at = now() - interval '8 days' where seq <= ?", [gone]),
    );
    expect(pruned('events')).toBe(3);
    const [kept] = await world.sql<{ least: string; n: string; last: string }>(
      'select min(seq) as least, count(*) as n, max(seq) as last from events',
    );
    expect(Number(kept?.least)).toBe(gone + 1);
    expect(Number(kept?.last) - gone).toBe(Number(kept?.n));
    const late = await world.watch(world.admin, `/ws/events?after=${gone - 1}`);
    expect(await late.next(() => true)).toMatchObject({ type: 'snapshot', seq: expect.any(Number) });
    late.close();
    const inTime = await world.watch(world.admin, `/ws/events?after=${gone}`);
    expect(await inTime.next(() => true)).toMatchObject({ type: 'event', seq: gone + 1, previous: gone });
    inTime.close();
  });

  test('a stream whose next item is gone ends, and delivers nothing more', async () => {
    const seen: unknown[] = [];
    const sequence = createSequence<{ seq: number }>({
      after: 3,
      read: async () => [],
      deliver: ({ seq }) => seen.push(seq),
      lost: () => seen.push('lost'),
      onError: (error) => seen.push(error),
    });
    sequence.push({ seq: 4 });
    sequence.announce(9, 4); // not readable yet: it is asked for again
    await new Promise((resolve) => setImmediate(resolve));
    sequence.push({ seq: 5 });
    expect(seen).toEqual([4, 5]);
    sequence.announce(9, 6);
    sequence.push({ seq: 6 });
    expect(seen).toEqual([4, 5, 'lost']);
  });
});

describe('Retention of what people did', () => {
  const line = (id: string, days: number) =>
    world.sql(
      `insert into audit_log (id, at, actor, action, resource, outcome, request_id, ip)
       values (?, now() - make_interval(days => ?), 'retention test', 'x', 'x', 'ok', 'r', '192.0.2.1')`,
      [id, days],
    );

  test('deletes lines of the audit log after a year; nobody else can', async () => {
    const [old, young] = ['00000000-0000-7000-8000-00000000000a', uuidv7()];
    await line(young, 0);
    const refused = /append-only/;
    const isRefused = (statement: string) => expect(world.sql(statement, [old])).rejects.toThrow(refused);
    const gone = await pruning(() =>
      duringBackup(async () => {
        await line(old, 366);
        await isRefused('delete from audit_log where id = ?');
        await isRefused("update audit_log set actor = 'x' where id = ?");
      }),
    );
    expect(gone('audit')).toBe(1);
    await expect(world.sql('truncate audit_log')).rejects.toThrow(refused);
    // Not even as retention itself, while a line is younger than the shortest policy.
    await expect(
      world.sql(
        `do $$ begin
           perform set_config('vareon.retention', 'on', true);
           delete from audit_log where id = '${young}';
         end $$`,
      ),
    ).rejects.toThrow(refused);
    const left = await world.sql<{ id: string }>("select id from audit_log where actor = 'retention test'");
    expect(left).toEqual([{ id: young }]);
  });

  test('forgets idempotency keys after a day, and events after a week unless they are to be delivered', async () => {
    const key = (age: string) =>
      world.sql(
        `insert into idempotency_keys (user_id, route, key, body_hash, job_id, created_at)
         values (?, 'r', ?, 'h', ?, now() - ?::interval)`,
        [user.id, age, user.id, age],
      );
    const event = (id: string, age: string) =>
      world.sql<{ seq: string }>(
        `insert into event_inbox (owner_id, source, id, type, event, received_at)
         values (?, '/test', ?, 't', '{}', now() - ?::interval) returning seq`,
        [user.id, id, age],
      );
    await event('old', '8 days');
    await event('young', '6 days');
    const [due] = await event('due', '8 days');
    const [{ id: runId } = { id: '' }] = await world.sql<{ id: string }>('select id from runs limit 1');
    const delivery = [runId, due?.seq];
    await world.sql("insert into event_deliveries values (?, ?, true, now() + interval '1 day')", delivery);
    await pruning(async () => {
      await key('25 hours');
      await key('23 hours');
    });
    const left = await world.sql<{ key: string }>('select key from idempotency_keys where user_id = ?', [
      user.id,
    ]);
    expect(left).toEqual([{ key: '23 hours' }]);
    const events = await world.sql<{ id: string }>('select id from event_inbox where owner_id = ?', [
      user.id,
    ]);
    await world.sql('delete from event_deliveries where run_id = ? and seq = ?', delivery);
    expect(events.map(({ id }) => id).sort()).toEqual(['due', 'young']);
  });
});

test('Temporal keeps what ended for a week', async () => {
  const { config } = await world.temporal.workflowService.describeNamespace({ namespace: 'default' });
  expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(7 * 86_400);
});
