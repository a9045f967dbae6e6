// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { eventStartsId, RECONCILER_SCHEDULE, scheduleIdOf } from '../../domain/names.ts';
import { scheduleProblems } from '../../domain/neosyntis/dsl/schedule.ts';
import { type Hits, isComplete, joined, LONGEST_CHAIN } from '../../domain/neosyntis/event-starts.ts';
import { until } from '../support/client.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await enterWorld('sql', 'temporal');
  user = await world.newUser();
});
afterAll(() => world.close());

const base = '/api/neosyntis/workflows';
let count = 0;
const event = (type: string, data?: unknown, more: object = {}) => ({
  specversion: '1.0',
  id: `e${++count}`,
  source: 'https://example.org/beds',
  type: `org.example.${type}`,
  ...(data === undefined ? {} : { data }),
  ...more,
});
const post = (body: object, who = user) =>
  expectStatus(202, world.api('POST', '/api/neosyntis/events', { token: who.token, body }));
const ask = (status: number, method: string, path: string, body?: unknown, who = user) =>
  expectStatus(status, world.api(method, `${base}/${path}`, { token: who.token, body }));

const noted = [{ note: { set: { seen: '${ $workflow.input }', by: '${ $runtime.metadata.schedule.id }' } } }];
async function imported(on: object, who = user, steps: unknown[] = noted): Promise<string> {
  const document = { dsl: '1.0.3', namespace: 'test', name: 'begun', version: '0.1.0' };
  return (await ask(201, 'POST', 'import', { document, do: steps, schedule: { on } }, who)).id;
}

/** Oldest first, when there are so many and all have ended. */
const untilRuns = async (id: string, n: number, who = user): Promise<Run[]> =>
  (
    await until(
      async (): Promise<Run[]> => ask(200, 'GET', `${id}/runs`, undefined, who),
      (runs) => runs.length >= n && runs.every(({ status }) => status === 'completed'),
      60_000,
    )
  ).reverse();
const inputs = (runs: Run[]) => runs.map(({ input }) => input);
const type = (name: string) => ({ with: { type: `org.example.${name}` } });

describe('A workflow with `schedule.on`', () => {
  test.concurrent('runs once for each event that its newest version means, while it may', async () => {
    const id = await imported({ one: { with: { type: 'org.example.fever', data: '${ .celsius > 38 }' } } });
    const hot = event('fever', { celsius: 39 });
    expect(await post(event('fever', { celsius: 37 }))).toMatchObject({ result: 'accepted', workflows: 1 });
    expect(await post(hot)).toMatchObject({ result: 'accepted', runs: 0, workflows: 1 });
    expect(await post(hot)).toMatchObject({ result: 'duplicate', workflows: 0 });
    expect(await post(event('fewer', { celsius: 40 }))).toMatchObject({ workflows: 0 });
    const [run] = await untilRuns(id, 1);
    expect(run).toMatchObject({
      input: [{ celsius: 39 }],
      output: { seen: [{ celsius: 39 }], by: scheduleIdOf(id) },
      trigger: {
        kind: 'event',
        at: expect.any(String),
        schedule_id: scheduleIdOf(id),
        events: [{ source: hot.source, id: hot.id, type: hot.type }],
        chain: 1,
      },
    });
    const schedule = await ask(200, 'GET', `${id}/schedule`);
    expect(schedule).toMatchObject({ on: { one: {} }, read: 'data', next: [], paused: false, problem: null });
    expect(schedule.last).toEqual({ at: run?.trigger.at, outcome: 'started', reason: null, run_id: run?.id });

    await ask(200, 'POST', `${id}/schedule/pause`);
    expect(await post(event('fever', { celsius: 41 }))).toMatchObject({ workflows: 0 });
    await ask(200, 'POST', `${id}/schedule/resume`);
    const changed = {
      on: {
        any: [
          { with: { type: 'org.example.rash', data: '${ length > 2 }' } },
          { with: { type: 'org\\.example\\.c.*' } },
        ],
      },
      read: 'envelope',
    };
    expect(await ask(200, 'PUT', `${id}/schedule`, changed)).toMatchObject(changed);
    expect(await post(event('fever', { celsius: 42 }))).toMatchObject({ workflows: 1 }); // a pattern may be any
    const large = 'ä"'.repeat(60_000); // it comes in parts
    const more = [event('rash', large), event('cough', 2)];
    for (const one of more) await post(one);
    const runs = await untilRuns(id, 3);
    expect(runs.map(({ trigger }) => trigger.events[0].id)).toEqual([hot.id, ...more.map((one) => one.id)]);
    expect(runs[2]?.input).toEqual([more[1]]);
    expect(runs.map(({ version }) => version)).toEqual([1, 2, 2]);
    await ask(200, 'PUT', `${id}/schedule`, { after: 'P30D' });
    expect(await post(event('cough', 3))).toMatchObject({ workflows: 0 });
    await ask(200, 'PUT', `${id}/schedule`, { on: { one: type('rash') } });
    await ask(204, 'DELETE', `${id}/schedule`);
    expect(await post(event('rash', 4))).toMatchObject({ workflows: 0 });
  });

  test.concurrent('puts together what belongs together, of which nothing is lost', async () => {
    const owner = await world.newUser();
    const correlate = { bed: { from: '.data.bed' } };
    const all = ['pulse', 'oxygen'].map((name) => ({ ...type(name), correlate }));
    const id = await imported({ all }, owner);
    const reading = (name: string, bed: number) => post(event(name, { name, bed }), owner);
    await reading('pulse', 1);
    await reading('pulse', 2);
    await reading('pulse', 2);
    await post(event('pulse', 'not what it should be'), owner);
    await reading('oxygen', 2);
    await reading('oxygen', 1);
    const [first, second, ...others] = await untilRuns(id, 2, owner);
    expect(inputs([first ?? {}, second ?? {}])).toEqual([
      [
        { name: 'pulse', bed: 2 },
        { name: 'oxygen', bed: 2 },
      ],
      [
        { name: 'pulse', bed: 1 },
        { name: 'oxygen', bed: 1 },
      ],
    ]);
    expect(others).toEqual([]);
    expect((await ask(200, 'GET', `${id}/schedule`, undefined, owner)).open_sets).toBe(1);
    // Other steps leave what waits where it is; other events do not.
    const { steps } = await ask(200, 'GET', id, undefined, owner);
    await ask(200, 'PUT', id, { steps: [...steps, { more: { set: '${ . }' } }] }, owner);
    await reading('oxygen', 2);
    expect(inputs(await untilRuns(id, 3, owner))[2]).toEqual([
      { name: 'pulse', bed: 2 },
      { name: 'oxygen', bed: 2 },
    ]);
    await reading('pulse', 3);
    const open = () => ask(200, 'GET', `${id}/schedule`, undefined, owner);
    await until(open, ({ open_sets }) => open_sets === 1, 60_000);
    const changed = await ask(200, 'PUT', `${id}/schedule`, { on: { all: all.reverse() } }, owner);
    expect(changed.open_sets).toBe(0);
  });

  test.concurrent('runs by what runs of others emit and go through, never by its own', async () => {
    const owner = await world.newUser();
    const completed = { with: { type: 'io.serverlessworkflow.workflow.completed.v1' } };
    const watcher = await imported({ one: completed }, owner);
    const said = await imported({ one: type('said') }, owner);
    const say = [{ say: { emit: { event: { with: { type: 'org.example.said', data: '${ . }' } } } } }];
    const first = await world.run(owner, say, 1);
    const [heard] = await untilRuns(said, 1, owner);
    expect(heard).toMatchObject({ input: [1], trigger: { chain: 1 } });
    await untilRuns(watcher, 2, owner);
    // Had those two begun others, these would have come before the next.
    const second = await world.run(owner, say, 2);
    await untilRuns(said, 2, owner);
    const seen = await untilRuns(watcher, 4, owner);
    const [, again] = await untilRuns(said, 2, owner);
    const ofRuns = [first.id, heard?.id, second.id, again?.id].map((id) => `/api/neosyntis/runs/${id}`);
    const sources = seen.map(({ trigger }) => trigger.events[0].source);
    expect(sources.sort()).toEqual(ofRuns.sort());
    const chains = seen.map(({ trigger }) => trigger.chain);
    expect(chains.sort()).toEqual([1, 1, 2, 2]);
  });

  test.concurrent('loses and doubles no event while those that work on it are killed', async () => {
    const owner = await world.newUser();
    const id = await imported({ one: type('lost') }, owner);
    const scheduleId = scheduleIdOf(id);
    const handle = world.temporal.workflow.getHandle(eventStartsId(scheduleId));
    const locker = new pg.Client({ connectionString: testStack().databaseUrl });
    await locker.connect();
    try {
      await locker.query('begin');
      await locker.query('select 1 from workflows where id = $1 for update', [id]);
      for (const n of [1, 2, 3]) await post(event('lost', n), owner);
      const { rows } = await locker.query<{ pid: number }>('select pg_backend_pid() as pid');
      // For longer than PostgreSQL takes to look for a deadlock: the next one to wait would be its victim.
      const waiting = `select 1 from pg_locks where not granted and ?::int = any(pg_blocking_pids(pid))
        and waitstart < clock_timestamp() - interval '1.5 seconds'`;
      await until(
        () => world.sql(waiting, [rows[0]?.pid]),
        (found) => found.length > 0,
        60_000,
      );
      // Who saves takes the two in this order: nobody may hold the second and wait for the first.
      await locker.query('select 1 from schedules where id = $1 for update', [scheduleId]);
      // It is killed while what it has asked for waits for the lock, and is done behind its back.
      await handle.terminate('by the test');
    } finally {
      await locker.end();
    }
    // As when the process died that had written these, at the end of an endless chain the second.
    const [kept, last] = [event('lost', 4), event('lost', 5)];
    for (const [one, chain] of [
      [kept, 0],
      [last, LONGEST_CHAIN],
    ] as const)
      await world.sql(
        `with e as (
           insert into event_inbox (owner_id, source, id, type, event, chain) values (?, ?, ?, ?, ?::json, ?) returning seq)
         insert into event_start_due (schedule_id, seq, at) select ?, seq, now() - interval '1 minute' from e`,
        [owner.id, one.source, one.id, one.type, JSON.stringify(one), chain, scheduleId],
      );
    await world.temporal.schedule.getHandle(RECONCILER_SCHEDULE).trigger();
    const schedule = () => ask(200, 'GET', `${id}/schedule`, undefined, owner);
    const { last: tick } = await until(schedule, ({ problem }) => problem !== null, 60_000);
    expect(tick).toMatchObject({ outcome: 'failed', reason: expect.stringMatching(/begun each other/) });
    const runs = await untilRuns(id, 4, owner);
    expect(inputs(runs).flat().sort()).toEqual([1, 2, 3, 4]);
  });
});

test('What a `schedule.on` waits for can be only so large', () => {
  const timing = { cron: () => undefined, zone: () => undefined };
  const problems = (length: number) =>
    scheduleProblems({ schedule: { on: { one: { with: { data: 'a'.repeat(length) } } } } }, '', timing);
  expect(problems(65_000)).toEqual([]);
  expect(problems(65_536)).toEqual([
    { path: '/schedule/on', message: expect.stringContaining('65536 is the limit') },
  ]);
});

describe('A set of events', () => {
  const nothing = { keys: {}, met: [] };

  test('is complete whatever the order in which its events come', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), (order) => {
        let set = { ...nothing } as NonNullable<ReturnType<typeof joined>>;
        for (const [n, at] of order.entries()) {
          expect(n > 0 && isComplete(set)).toBe(false);
          const hits: Hits = [0, 1, 2, 3].map((one) => (one === at ? { bed: 7 } : null));
          const now = joined(set, hits);
          if (!now) throw new Error(`event ${at} has no place`);
          expect(joined(now, hits)).toBeUndefined();
          set = now;
        }
        expect(set).toEqual({ keys: { bed: 7 }, met: [true, true, true, true] });
      }),
    );
  });

  test('takes an event for all filters that it fits, as far as it is of the same', () => {
    expect(joined(nothing, [{ a: 1 }, { a: 1, b: 2 }])).toEqual({ keys: { a: 1, b: 2 }, met: [true, true] });
    expect(joined(nothing, [{ a: 1 }, { a: 2 }])).toEqual({ keys: { a: 1 }, met: [true, false] });
    const open = { keys: { a: '1' }, met: [true, false] };
    expect(joined(open, [{ a: '1' }, null])).toBeUndefined();
    expect(joined(open, [null, { a: 2 }])).toBeUndefined();
    expect(joined(open, [{ a: '1' }, { a: 1 }])).toEqual({ keys: { a: 1 }, met: [true, true] });
    expect(joined(nothing, [null, null])).toBeUndefined();
  });
});
