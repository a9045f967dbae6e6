// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createResets } from '../../activities/platform/neosyntis/resets.ts';
import { openDatabase } from '../../db/orm.ts';
import { isEnded } from '../../domain/neosyntis/runs.ts';
import { createLogger } from '../../logs.ts';
import { errors } from '../histories/programs/errors.ts';
import { forks } from '../histories/programs/forks.ts';
import { inside } from '../histories/programs/inside.ts';
import { type Program, raise, shell } from '../histories/programs/program.ts';
import { until } from '../support/client.ts';
import { type Served, serveHttp } from '../support/http-server.ts';
import { countLegs, firstLeg, runInLegs } from '../support/legs.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let served: Served;
beforeAll(async () => {
  served = await serveHttp();
  world = await enterWorld('sql', 'temporal');
  user = await world.newUser('operator', { runsCode: true });
});
afterAll(async () => {
  await served.close();
  await world.close();
});

const isOver = ({ status }: Run) => isEnded(status);

/** Everything that a run may be left in the middle of. */
const everything: Program = {
  name: 'everything',
  input: { n: 0 },
  document: {
    input: { from: '{ n: (.n + 1) }' },
    output: { as: '{ end: ., seen: $context, at: ($workflow.startedAt | type) }' },
    timeout: { after: { minutes: 10 } },
    use: {
      functions: { twice: { do: [{ one: { set: '${ .n }' } }, { two: { set: { n: '${ . * 2 }' } } }] } },
      extensions: [
        {
          look: {
            extend: 'set',
            when: '$task.name == "again"',
            before: [{ sees: { set: { at: '${ $task.reference }' } } }, { also: { set: { o: 1 } } }],
            after: [{ saw: { set: { n: '${ .n }' } } }, { last: { set: { o: 1 } } }],
          },
        },
      ],
    },
  },
  steps: [
    { note: { set: { n: '${ .n }' }, export: { as: '{ first: $output.n }' } } },
    {
      outer: {
        for: { each: 'row', in: '[1, 2, 3]' },
        do: [
          {
            inner: {
              for: { each: 'cell', at: 'at', in: '[$row, $row * 10]' },
              while: '.n < 1000',
              do: [
                {
                  add: { set: { n: '${ .n + $cell + $at }' }, export: { as: '$context + { last: $cell }' } },
                },
                {
                  twice: {
                    switch: [{ odd: { when: '.n % 2 == 1', then: 'add' } }, { even: { then: 'exit' } }],
                  },
                },
              ],
              output: { as: '. + { after: $task.name }' },
            },
          },
        ],
      },
    },
    {
      tried: {
        try: [
          { before: { set: { n: 1 } } },
          { each: { for: { in: '[1, 2]' }, do: [{ one: { set: { item: '${ $item }' } } }] } },
          {
            inTry: { try: [{ a: { set: { a: 1 } } }, { no: raise('inside') }], catch: { retry: retries(1) } },
          },
        ],
        catch: {
          as: 'wrong',
          retry: retries(2),
          do: [{ one: { set: { n: '${ $wrong.detail }' } } }, { two: { set: { n: '${ $wrong.status }' } } }],
        },
      },
    },
    {
      side: {
        fork: {
          branches: [
            { a: { do: [{ rest: { wait: { milliseconds: 400 } } }, { done: { set: { a: 1 } } }] } },
            { b: { for: { in: '[1, 2, 3]' }, do: [{ x: { set: { x: '${ $item }' } } }] } },
            { c: { do: [{ code: shell('echo c') }, { next: { set: { c: '${ . }' } } }] } },
            { d: { set: { d: 1 } } },
            {
              e: {
                do: [
                  { one: { set: { e: 1 } } },
                  { two: { set: { e: 2 }, then: 'exit' } },
                  { no: raise('never') },
                ],
              },
            },
          ],
        },
      },
    },
    {
      race: {
        fork: {
          compete: true,
          branches: [
            {
              slow: {
                do: [
                  { one: { set: { o: 1 } } },
                  { two: { set: { o: 1 } } },
                  { rest: { wait: { hours: 1 } } },
                ],
              },
            },
            { lost: { do: [{ one: { set: { o: 1 } } }, { no: raise('a racer') }] } },
            {
              won: {
                do: [
                  { rest: { wait: { milliseconds: 900 } } },
                  { told: { listen: { to: { one: { with: { type: 'won' } } } } } },
                  { yes: { set: { won: true } } },
                ],
              },
            },
          ],
        },
        export: { as: '$context + { won: $output.won }' },
      },
    },
    {
      late: {
        try: [
          {
            limited: {
              do: [{ one: { set: { o: 1 } } }, { two: { set: { o: 1 } } }, { rest: { wait: { hours: 1 } } }],
              timeout: { after: { seconds: 2 } },
            },
          },
        ],
        catch: { do: [{ caught: { set: { n: 3 } } }, { back: { set: { n: '${ .n + 1 }' } } }] },
      },
    },
    { none: { if: 'false', set: { o: 1 } } },
    { called: { call: 'twice', with: { n: 2 } } },
    { again: { set: { n: '${ .n + 1 }' } } },
    { choose: { switch: [{ small: { when: '.n < 7', then: 'again' } }, { other: { then: 'last' } }] } },
    { never: { set: { o: 1 } } },
    { last: { do: [{ inLast: { set: { n: '${ .n }', guarded: '${ [range(3)] | add }' } } }] } },
  ],
  ends: 'completed',
};

function retries(count: number) {
  return { delay: { milliseconds: 30 }, limit: { attempt: { count } } };
}

/** A document takes no short forms: those steps are left out. */
async function start({ name, document = {}, steps, input = null }: Program): Promise<string> {
  const dsl = { dsl: '1.0.3', namespace: 'test', name, version: '1.0.0' };
  const { token } = user;
  const { id } = await expectStatus(
    201,
    world.api('POST', '/api/neosyntis/workflows/import', {
      token,
      body: { document: dsl, ...document, do: steps.filter((step) => typeof step !== 'string') },
    }),
  );
  const { run_id } = await expectStatus(
    202,
    world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, { token, body: { input } }),
  );
  return run_id;
}

/** What two runs of a workflow have in common, steps in the order of their places. */
const course = ({ status, output, error, steps_total, steps }: Run) => ({
  ...{ status, output, error, steps_total },
  steps: steps
    .map((step: Run) => ({
      place: `${step.path} ${step.iteration.join('.')}`,
      ...{ attempt: step.attempt, status: step.status, input: step.input, output: step.output },
      ...{ error: step.error, kind: step.kind },
    }))
    .sort((one: Run, other: Run) => (one.place < other.place ? -1 : 1)),
});

/** Ends its race, once those that lose it are where they stay: how long they take to it is this machine's matter. */
async function endRace(id: string): Promise<void> {
  const race = '/do/4/race/fork/branches';
  const untilThere = (path: string, status: string) =>
    world.untilRun(
      user,
      id,
      ({ steps }) => steps.some((step: Run) => step.path === `${race}${path}` && step.status === status),
      120_000,
    );
  await untilThere('/0/slow/do/2/rest', 'waiting');
  await untilThere('/1/lost', 'failed');
  await untilThere('/2/won/do/1/told', 'waiting');
  const body = { specversion: '1.0', id: 'won', source: '/test', type: 'won', data: 1 };
  const { token } = user;
  await expectStatus(202, world.api('POST', `/api/neosyntis/runs/${id}/events`, { token, body }));
}

async function compare(program: Program): Promise<void> {
  const whole = await start(program);
  const { status, ...run } = await world.untilRun(user, whole, isOver);
  expect([program.name, status]).toEqual([program.name, program.ends]);
  const parts = await runInLegs(world, whole, 2);
  const inLegs = await world.untilRun(user, parts, isOver, 120_000);
  expect(course(inLegs)).toEqual(course({ status, ...run }));
}

describe('A run that goes on in one of Temporal’s executions after the other', () => {
  test.concurrent('does and shows what it would in one, with no gap for who watches', async () => {
    const whole = await start(everything);
    const parts = await runInLegs(world, whole, 3);
    const socket = await world.watch(user, `/ws/neosyntis/runs/${parts}?after=0`);
    await Promise.all([whole, parts].map(endRace));
    const one = await world.untilRun(user, whole, isOver, 120_000);
    expect(one).toMatchObject({ status: 'completed', output: { seen: { first: 1, last: 30, won: true } } });
    const other = await world.untilRun(user, parts, isOver, 120_000);
    expect(course(other)).toEqual(course(one));
    expect(await countLegs(world, parts)).toBeGreaterThan(10);
    expect(await countLegs(world, whole)).toBe(1);
    // What was seen of Temporal may be old when it is acted upon.
    const log = createLogger('test', 'silent');
    const database = await openDatabase({
      databaseUrl: testStack().databaseUrl,
      poolSize: 2,
      connectWithinMs: 60_000,
      log,
    });
    const { temporal: client } = world;
    const resets = createResets({ database, client, decode: async (payloads) => payloads, log });
    expect(await resets.follow(parts, await firstLeg(world, parts))).toEqual({ frames: [], events: [] });
    await database.close();
    expect(await world.untilRun(user, parts, () => true)).toEqual(other);
    const { seq } = await socket.next(({ type, run }) => type === 'run' && isEnded(run.status), 60_000);
    expect(socket.frames.map((frame) => frame.seq)).toEqual(Array.from({ length: seq }, (_, at) => at + 1));
    socket.close();
  });

  test.concurrent('listens on, with what it has heard and is working on', async () => {
    const listen = {
      to: { any: [{ with: { type: 'leg' } }], until: { one: { with: { type: 'done' } } } },
      read: 'data',
    };
    const foreach = {
      do: [{ one: { set: '${ $item }' } }, { two: { set: { n: '${ .n * 10 }' } } }],
      output: { as: '{ n, at: $index }' },
      export: { as: '{ heard: (($context.heard // 0) + 1) }' },
    };
    const steps = [
      ...['a', 'b', 'c'].map((name) => ({ [name]: { set: { o: 1 } } })),
      { hear: { listen, foreach } },
      { last: { set: { heard: '${ . }', count: '${ $context.heard }' } } },
    ];
    const whole = await start({ name: 'listens', steps, ends: 'completed' });
    const parts = await runInLegs(world, whole, 2);
    const { token } = user;
    for (const id of [whole, parts]) {
      const say = (type: string, at: number) =>
        expectStatus(
          202,
          world.api('POST', `/api/neosyntis/runs/${id}/events`, {
            token,
            body: { specversion: '1.0', id: `${type}${at}`, source: '/test', type, data: { n: at } },
          }),
        );
      for (const at of [1, 2, 3]) await say('leg', at);
      await world.untilRun(user, id, ({ steps_total }) => steps_total >= 10, 120_000);
      await say('leg', 4);
      await say('done', 5);
    }
    const one = await world.untilRun(user, whole, isOver);
    expect(one.output).toEqual({ heard: [1, 2, 3, 4].map((n, at) => ({ n: n * 10, at })), count: 4 });
    expect(course(await world.untilRun(user, parts, isOver, 120_000))).toEqual(course(one));
    expect(await countLegs(world, parts)).toBeGreaterThan(3);
  });

  const some = ['backwards', 'fork-that-fails', 'task-timeout', 'run-timeout'];
  const programs = [...inside, ...forks, ...errors].filter(({ name }) => some.includes(name));

  test.concurrent.each(programs.map((program) => [program.name, program] as const))(
    'runs %s as in one',
    async (_name, program) => compare(program),
  );

  test.concurrent('is told whole again when it is reset, from where each of its executions told it', async () => {
    const add = [{ add: { set: { n: '${ .n + 1 }' } } }];
    const loop = { loop: { for: { in: '[1, 2, 3, 4, 5]' }, do: add } };
    const steps = [loop, { rest: { wait: { milliseconds: 300 } } }, { last: { set: { n: '${ .n }' } } }];
    const whole = await start({ name: 'reset', steps, input: { n: 0 }, ends: 'completed' });
    const parts = await runInLegs(world, whole, 3);
    const before = await world.untilRun(user, parts, isOver, 120_000);
    const handle = world.temporal.workflow.getHandle(parts);
    await handle.result(); // the end is told before Temporal has it
    const { runId } = await handle.describe();
    const { events } = await handle.fetchHistory();
    const ended = events?.find(
      ({ workflowTaskCompletedEventAttributes }) => workflowTaskCompletedEventAttributes,
    );
    await world.temporal.workflowService.resetWorkflowExecution({
      namespace: world.temporal.options.namespace,
      workflowExecution: { workflowId: parts, runId },
      reason: 'a test',
      workflowTaskFinishEventId: ended?.eventId ?? null,
      requestId: runId,
    });
    const again = await world.untilRun(
      user,
      parts,
      (run) => isOver(run) && run.ended_at !== before.ended_at,
      120_000,
    );
    expect(course(again)).toEqual(course(before));
    expect(course(again)).toEqual(course(await world.untilRun(user, whole, isOver)));
  });

  test.concurrent('goes on asking people, once each, and takes their answers in a later one', async () => {
    served.on('/broken', ({ socket }) => void socket.destroy());
    const ask = { title: 'Go?', remind: { after: 'PT1H', by: { email: 'ada@example.org' } } };
    const loop = { for: { in: '[range(12)]' }, do: [{ add: { set: { n: '${ $item }' } } }] };
    const branches = [
      { ask: { call: 'approval.wait', with: ask, output: { as: '.approved' } } },
      { send: { call: 'http', with: { method: 'POST', endpoint: `${served.origin}/broken` } } },
      {
        rest: {
          do: [
            { hear: { listen: { to: { one: { with: { type: 'go' } } } }, output: { as: 'length' } } },
            { loop },
          ],
        },
      },
    ];
    const whole = await start({ name: 'asks', steps: [{ f: { fork: { branches } } }], ends: 'completed' });
    const parts = await runInLegs(world, whole, 3);
    const { token } = user;
    const asked = (id: string, count: number) =>
      until(
        async () =>
          (await world.api('GET', `/api/neosyntis/approvals?run_id=${id}`, { token })).body as Run[],
        ({ length }) => length === count,
        60_000,
      );
    const answer = (id: string, body: object) =>
      expectStatus(200, world.api('POST', `/api/neosyntis/approvals/${id}`, { token, body }));
    const runs: Run[] = [];
    const socket = await world.watch(user, `/ws/neosyntis/runs/${parts}?after=0`);
    for (const id of [whole, parts]) {
      const questions = await asked(id, 2);
      const before = await countLegs(world, id);
      expect(before).toBeLessThan(4);
      const body = { specversion: '1.0', id: '1', source: '/test', type: 'go' };
      await expectStatus(202, world.api('POST', `/api/neosyntis/runs/${id}/events`, { token, body }));
      await world.untilRun(
        user,
        id,
        ({ status, steps_total }) => status === 'waiting' && steps_total === 18,
        120_000,
      );
      if (id === parts) expect(await countLegs(world, id)).toBeGreaterThan(before + 1);
      const idOf = (kind: string) => questions.find((one) => one.kind === kind)?.id;
      await answer(idOf('outcome'), { outcome: 'not_done' });
      const again = (await asked(id, 3)).find((one) => one.attempt === 2);
      await answer(again?.id, { outcome: 'done', output: 7 });
      await answer(idOf('approval'), { approved: true });
      const run = await world.untilRun(user, id, isOver);
      expect(run).toMatchObject({ status: 'completed', output: [true, 7, { n: 11 }] });
      runs.push(run);
      const detail = `/api/neosyntis/runs/${id}/step?path=${encodeURIComponent('/do/0/f/fork/branches/1/send')}`;
      const { attempts } = await expectStatus(200, world.api('GET', detail, { token }));
      expect(attempts).toMatchObject([{ status: 'unknown' }, { status: 'completed', error: null }]);
      expect((await asked(id, 3)).map(({ status }) => status)).toEqual(Array(3).fill('answered'));
    }
    expect(course(runs[1] as Run)).toEqual(course(runs[0] as Run));
    await socket.next(({ type, run }) => type === 'run' && isEnded(run.status), 60_000);
    // The loop is left several times while all others wait, and the run runs all the while.
    let status = '';
    const rounds: string[] = [];
    for (const { type, run, step } of socket.frames) {
      if (type === 'run') status = run.status;
      if (type === 'step' && step.name === 'add') rounds.push(status);
    }
    expect(rounds).toEqual(Array(12).fill('running'));
    socket.close();
  });

  test.concurrent('is cancelled in all its branches', async () => {
    const endless = [{ a: { set: { n: '${ (.n // 0) + 1 }' } } }, { b: { set: '${ . }', then: 'a' } }];
    const branches = [
      { spins: { do: endless } },
      { rests: { wait: { hours: 1 } } },
      { also: { do: endless } },
    ];
    const whole = await start({
      name: 'cancelled',
      steps: [{ f: { fork: { branches } } }],
      input: {},
      ends: 'failed',
    });
    const parts = await runInLegs(world, whole, 5);
    for (const id of [whole, parts]) {
      await world.untilRun(user, id, ({ steps_total }) => steps_total > 60, 120_000);
      const { token } = user;
      await expectStatus(202, world.api('POST', `/api/neosyntis/runs/${id}/cancel`, { token }));
      const run = await world.untilRun(user, id, isOver);
      expect(run.status).toBe('cancelled');
      const open = run.steps.filter(({ name }: Run) => ['f', 'spins', 'rests', 'also'].includes(name));
      expect(open.map((step: Run) => step.status)).toEqual(Array(4).fill('cancelled'));
    }
    expect(await countLegs(world, parts)).toBeGreaterThan(5);
  });
});
