// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { pacerId, scheduleIdOf } from '../../domain/names.ts';
import { temporalSpec } from '../../drivers/schedules/spec.ts';
import { isNominal, nextTimes } from '../../drivers/schedules/times.ts';
import { until } from '../support/client.ts';
import { schedulesIn } from '../support/schedules.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await enterWorld('temporal');
  user = await world.newUser();
});
afterAll(() => world.close());

const base = '/api/neosyntis/workflows';
const quick = [{ tell: { set: { seen: '${ $runtime.metadata.schedule }' } } }];
const long = [{ rest: { wait: { hours: 1 } } }];

async function imported(schedule: object, steps: unknown[] = quick, who = user): Promise<string> {
  const document = { dsl: '1.0.3', namespace: 'test', name: 'scheduled', version: '0.1.0' };
  const body = { document, do: steps, schedule };
  return (await expectStatus(201, world.api('POST', `${base}/import`, { token: who.token, body }))).id;
}

const ask = (status: number, method: string, path: string, body?: unknown, who = user) =>
  expectStatus(status, world.api(method, `${base}/${path}`, { token: who.token, body }));

/** Oldest first. */
const runsOf = async (id: string): Promise<Run[]> => (await ask(200, 'GET', `${id}/runs`)).reverse();

const untilRuns = (id: string, done: (runs: Run[]) => boolean) => until(() => runsOf(id), done, 60_000);

const secondOf = ({ trigger }: Run) => Date.parse(trigger.at) / 1_000;
/** One for each second, none of them twice. A tick may be written after the one that comes after it. */
const isEachSecond = ([first, ...others]: Run[]) =>
  first !== undefined && others.every((run, at) => secondOf(run) === secondOf(first) + at + 1);
const isCompleted = ({ status }: Run) => status === 'completed';
const untilSchedule = (id: string, done: (schedule: Run) => boolean, who = user) =>
  until(() => ask(200, 'GET', `${id}/schedule`, undefined, who), done, 60_000);

const { handle: temporalSchedule, describe: inTemporal, until: untilTemporal } = schedulesIn(() => world);

/** Of a run that may not have begun in Temporal yet. */
const cancelled = (run: Run | undefined) =>
  until(
    async () =>
      (await world.api('POST', `/api/neosyntis/runs/${run?.id}/cancel`, { token: user.token })).status,
    (status) => status === 202,
    60_000,
  );

/** Ends what it began, and the workflow. */
async function removed(id: string): Promise<void> {
  await ask(200, 'POST', `${id}/schedule/pause`);
  await until(
    async () => (await world.api('DELETE', `${base}/${id}`, { token: user.token })).status,
    (status) => status === 204,
    60_000,
  );
}

describe('A workflow that runs every second', () => {
  test.concurrent('has one run for each second, by hand none, and says when the next ones are', async () => {
    const id = await imported({ every: 'PT1S' });
    const runs = await untilRuns(
      id,
      (all) => all.length >= 3 && all.slice(0, 3).every(isCompleted) && isEachSecond(all),
    );
    for (const { trigger, output } of runs.slice(0, 3)) {
      expect(trigger).toEqual({ kind: 'schedule', at: expect.any(String), schedule_id: scheduleIdOf(id) });
      expect(trigger.at).toMatch(/:\d\d\.000Z$/);
      expect(output).toEqual({ seen: { id: scheduleIdOf(id), nominal_time: trigger.at } });
    }

    const schedule = await ask(200, 'GET', `${id}/schedule`);
    expect(schedule).toMatchObject({ every_ms: 1_000, timezone: 'UTC', paused: false, problem: null });
    expect(schedule.last).toMatchObject({ outcome: 'started', reason: null });
    expect(schedule.next).toHaveLength(10);

    // Paused, changed while it is, and gone.
    expect(await ask(200, 'POST', `${id}/schedule/pause`)).toMatchObject({ paused: true, next: [] });
    await untilTemporal(id, (found) => found?.state.paused === true);
    await ask(200, 'PUT', `${id}/schedule`, { every: { seconds: 2 } });
    await untilTemporal(id, (found) => found?.spec.intervals?.[0]?.every === 2_000 && found.state.paused);
    // A tick from before the pause may still be on its way.
    const resumedAt = Date.now();
    await ask(200, 'POST', `${id}/schedule/resume`);
    const ticks = (all: Run[]) =>
      all.map(({ trigger }) => Date.parse(trigger.at)).filter((time) => time > resumedAt);
    const later = ticks(await untilRuns(id, (all) => ticks(all).length >= 2));
    expect(later.map((time) => (time / 1_000) % 2)).toEqual(later.map(() => 0));
    expect((await ask(200, 'GET', id)).version).toBe(2);
    const same = async () => {
      const { next } = await ask(200, 'GET', `${id}/schedule`);
      const times = (await inTemporal(id))?.info.nextActionTimes ?? [];
      return times.filter((time) => next.includes(time.toISOString())).length;
    };
    // Time goes on between the one answer and the other.
    await until(same, (count) => count >= 8, 60_000);
    await removed(id);
    await untilTemporal(id, (found) => found === undefined);
    await ask(404, 'GET', `${id}/schedule`);
  });

  test.concurrent('loses and doubles no tick while the database keeps them waiting', async () => {
    const id = await imported({ every: 'PT1S' });
    const locker = new pg.Client({ connectionString: testStack().databaseUrl });
    await locker.connect();
    const taken = async () => (await inTemporal(id))?.info.numActionsTaken ?? 0;
    try {
      await locker.query('begin');
      await locker.query('select 1 from schedules where id = $1 for update', [scheduleIdOf(id)]);
      const before = await taken();
      await until(taken, (now) => now >= before + 3, 60_000);
    } finally {
      await locker.end();
    }
    const runs = await untilRuns(id, (all) => all.length >= 5);
    const [first, last] = [runs[0], runs.at(-1)].map((run) => new Date(run?.trigger.at));
    // Asked again for the same times, it has the runs that there are.
    if (!first || !last) throw new Error('no runs');
    const at = await taken();
    await temporalSchedule(id).backfill({ start: new Date(+first - 1), end: last, overlap: 'ALLOW_ALL' });
    await until(taken, (now) => now >= at + runs.length, 60_000);
    const upTo = +last / 1_000;
    await untilRuns(
      id,
      (list) => isEachSecond(list) && list.filter((run) => secondOf(run) <= upTo).every(isCompleted),
    );
    await removed(id);
  });

  test.concurrent('does not run when its owner may not, and says why', async () => {
    const owner = await world.newUser();
    const id = await imported({ every: 'PT1S' }, quick, owner);
    const change = (body: object) =>
      expectStatus(200, world.api('PUT', `/api/users/${owner.id}`, { token: world.admin.token, body }));
    await change({ role: 'viewer' });
    const hindered = await untilSchedule(id, ({ last }) => last?.outcome === 'failed', world.admin);
    expect(hindered.problem).toMatch(/owner may not start runs/);
    await change({ is_active: false });
    await untilSchedule(id, ({ problem }) => /deactivated/.test(problem), world.admin);
    await change({ is_active: true, role: 'operator' });
    await untilSchedule(id, ({ problem, last }) => problem === null && last.run_id !== null, world.admin);
    await ask(204, 'DELETE', `${id}/schedule`, undefined, world.admin);
    await untilTemporal(id, (found) => found === undefined);
    expect((await ask(200, 'GET', id, undefined, world.admin)).version).toBe(2);
  });
});

describe('A workflow with a cron', () => {
  test.concurrent('misses what is too late, and skips while its run goes on', async () => {
    const now = Math.floor(Date.now() / 60_000);
    const minutesAgo = (minutes: number) => new Date((now - minutes) * 60_000);
    // No tick comes by itself in the next twenty minutes.
    const minutes = Array.from({ length: 39 }, (_, at) => (now + 21 + at) % 60).sort((a, b) => a - b);
    const id = await imported({ cron: `${minutes} * * * *` }, long);
    await untilTemporal(id, (found) => found !== undefined);
    const backfill = (from: number, to: number) =>
      temporalSchedule(id).backfill({
        start: new Date(+minutesAgo(from) - 1),
        end: minutesAgo(to),
        overlap: 'ALLOW_ALL',
      });
    await backfill(90, 90);
    const late = await untilSchedule(id, ({ last }) => last !== null);
    expect(late.last).toMatchObject({ outcome: 'missed', run_id: null });
    await backfill(9, 9);
    await untilSchedule(id, ({ last }) => last.outcome === 'started');
    await backfill(8, 5);
    const skipped = await untilSchedule(id, ({ last }) => last.outcome === 'skipped');
    expect(skipped.last.reason).toMatch(/goes on/);
    const [run, ...others] = await runsOf(id);
    expect(others).toEqual([]);
    expect(skipped.last.run_id).toBe(run?.id);
    await ask(200, 'POST', `${id}/schedule/pause`);
    await cancelled(run);
    await removed(id);
  });

  test('is asked by Temporal at all of its times, whatever its zone and its clock', async () => {
    const field = (from: number, to: number) =>
      fc.oneof(
        fc.constant('*'),
        fc.integer({ min: from, max: to }).map(String),
        fc.integer({ min: 2, max: 20 }).map((step) => `*/${step}`),
        fc
          .tuple(fc.integer({ min: from, max: to }), fc.integer({ min: from, max: to }))
          .map(([one, other]) => `${Math.min(one, other)}-${Math.max(one, other)}`),
      );
    const days = fc.constantFrom(
      '* * *',
      '* * 0,6',
      '* * MON-FRI',
      '31 * *',
      'L * *',
      '1-15 3,10 *',
      '28 * 7',
    );
    const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu'];
    // About the hours at which clocks change.
    const starts = ['03-14T00', '03-27T18', '04-03T06', '10-02T06', '10-30T18', '11-07T00'];
    const { workflowService: service, options } = world.temporal;
    const seconds = (time: Date) => ({ seconds: Math.floor(+time / 1_000) as never }); // a Long, or a number
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(field(0, 59), field(0, 23), days).map((fields) => fields.join(' ')),
        fc.constantFrom(...zones),
        fc.constantFrom(...starts),
        async (cron, timezone, start) => {
          const timing = { kind: 'cron', cron, timezone } as const;
          const from = new Date(`2027-${start}:00:00Z`);
          const to = new Date(+from + 16 * 3_600_000); // Temporal lists a thousand times at most
          const scheduleId = `test-${Math.random()}`;
          const handle = await world.temporal.schedule.create({
            scheduleId,
            spec: temporalSpec(timing),
            action: { type: 'startWorkflow', workflowType: 'nothing', taskQueue: 'nobody' },
            state: { paused: true },
          });
          const { startTime } = await service.listScheduleMatchingTimes({
            namespace: options.namespace,
            scheduleId,
            startTime: seconds(from),
            endTime: seconds(to),
          });
          await handle.delete();
          const asked = startTime.map((time) => new Date(Number(time.seconds) * 1_000));
          const known = nextTimes(timing, from, 1_000).filter((time) => time <= to);
          expect(asked.filter((time) => isNominal(timing, time))).toEqual(known);
        },
      ),
      { numRuns: 12 },
    );
  });
});

describe('A workflow that runs after it has run', () => {
  test.concurrent('begins at once, and again that long after each end, a failure as well', async () => {
    const fails = [{ no: { raise: { error: { type: 'about:blank', status: 400, title: 'No' } } } }];
    const id = await imported({ after: 'PT1S' }, fails);
    const runs = await untilRuns(id, (all) => all.length >= 3 && all[1]?.status === 'failed');
    for (const [at, { created_at }] of runs.slice(1).entries())
      expect(Date.parse(created_at)).toBeGreaterThanOrEqual(Date.parse(runs[at]?.ended_at) + 990);
    const pacer = world.temporal.workflow.getHandle(pacerId(scheduleIdOf(id)));
    // Between a run and the next pause it may have ended by itself.
    const untilPacer = (runs: boolean) =>
      until(
        async () => (await pacer.describe()).status.name,
        (name) => (name === 'RUNNING') === runs,
        60_000,
      );
    await untilPacer(true);
    await ask(200, 'POST', `${id}/schedule/pause`);
    await untilPacer(false);
    const paused = (await runsOf(id)).length;
    await ask(200, 'POST', `${id}/schedule/resume`);
    await untilRuns(id, (all) => all.length > paused);
    await ask(200, 'PUT', `${id}/schedule`, { every: 'PT1H' });
    await untilPacer(false);
    await removed(id);
    await untilTemporal(id, (found) => found === undefined);
  });

  test.concurrent('waits for the end of a run that goes on', async () => {
    const id = await imported({ after: 'PT1S' }, long);
    const [first] = await untilRuns(
      id,
      (all) => all[0]?.status === 'waiting' || all[0]?.status === 'running',
    );
    expect(await ask(200, 'GET', `${id}/schedule`)).toMatchObject({ after_ms: 1_000, next: [] });
    await cancelled(first);
    const [, second] = await untilRuns(id, (all) => all.length === 2);
    await ask(200, 'POST', `${id}/schedule/pause`);
    await cancelled(second);
    await removed(id);
  });
});

describe('The preview of a schedule', () => {
  const preview = (status: number, body: object) =>
    expectStatus(status, world.api('POST', '/api/neosyntis/schedules/preview', { token: user.token, body }));
  const locals = ({ next }: Run) => next.slice(0, 3).map(({ local }: Run) => local);

  test('says where a clock that changes moves it', async () => {
    const cron = '30 2 * * *';
    const spring = await preview(200, { cron, timezone: 'Europe/Berlin', from: '2027-03-27T00:00:00.000Z' });
    expect(locals(spring)).toEqual([
      '2027-03-27T02:30:00+01:00',
      '2027-03-28T03:00:00+02:00',
      '2027-03-29T02:30:00+02:00',
    ]);
    expect(spring.clock_changes).toEqual([
      {
        at: '2027-03-28T01:00:00.000Z',
        from: '+01:00',
        to: '+02:00',
        message: expect.stringContaining('from 02:00 to 03:00'),
      },
    ]);
    const autumn = await preview(200, {
      cron: '30 1 * * *',
      timezone: 'America/New_York',
      from: '2027-11-06T00:00:00.000Z',
    });
    expect(locals(autumn)).toEqual([
      '2027-11-06T01:30:00-04:00',
      '2027-11-07T01:30:00-04:00',
      '2027-11-08T01:30:00-05:00',
    ]);
    expect(autumn.clock_changes).toMatchObject([{ from: '-04:00', to: '-05:00' }]);
    const every = await preview(200, { every: 'P1D', from: '2027-03-27T00:00:00.000Z' });
    expect(every.next).toHaveLength(10);
    expect(every).toMatchObject({ timezone: 'UTC', clock_changes: [] });
  });

  test('refuses what could not be saved, at its place', async () => {
    const refused = await preview(422, { cron: '0 25 * * *', every: 'PT0.5S', timezone: 'UTC' });
    expect(refused.errors.map(({ path }: Run) => path)).toEqual(['', '/cron', '/every']);
    await preview(422, { cron: '* * * * *', timezone: 'Mars/Olympus' });
    await preview(422, {});
    const id = await world.newWorkflow(user, quick);
    const wrong = await ask(422, 'PUT', `${id}/schedule`, { cron: '* * * *', timezone: 'UTC' });
    expect(wrong.errors).toEqual([{ path: '/cron', message: expect.stringContaining('five are needed') }]);
    await ask(404, 'GET', `${id}/schedule`);
  });
});
