import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/client.ts';
import { enterWorld, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await enterWorld('temporal');
  user = await world.newUser('operator');
});
afterAll(() => world.close());

describe('A run', () => {
  test('hands each task the output of the one before', async () => {
    const run = await world.run(
      user,
      [
        { red: { set: { colors: '${ .colors + ["red"] }' } } },
        { blue: { set: { colors: '${ .colors + ["blue"] }' } } },
      ],
      { colors: ['green'] },
    );
    expect(run).toMatchObject({
      status: 'completed',
      output: { colors: ['green', 'red', 'blue'] },
      progress: 100,
    });
    expect(run.steps).toMatchObject([
      { path: '/do/0/red', name: 'red', kind: 'set', status: 'completed', input: { colors: ['green'] } },
      { path: '/do/1/blue', status: 'completed', output: { colors: ['green', 'red', 'blue'] } },
    ]);
  });

  test('shapes data in the specification’s order: input.from, the task, output.as, export.as', async () => {
    const run = await world.run(
      user,
      [
        {
          shape: {
            input: { from: '.user' },
            set: { name: '${ .name }', seen: '${ $input.name }' },
            output: { as: '{ name, seen, from: $input.id }' },
            export: { as: '{ kept: .name, output: $output.from }' },
          },
        },
        { use: { set: { context: '${ $context }', before: '${ . }' } } },
      ],
      { user: { id: 7, name: 'Ada' } },
    );
    expect(run.output).toEqual({
      context: { kept: 'Ada', output: 7 },
      before: { name: 'Ada', seen: 'Ada', from: 7 },
    });
  });

  test('skips a task whose `if` does not hold and passes its input on', async () => {
    const run = await world.run(
      user,
      [{ never: { if: '.n > 5', set: { n: 0 } } }, { keep: { set: '${ . }' } }],
      { n: 1 },
    );
    expect(run.output).toEqual({ n: 1 });
    expect(run.steps[0]).toMatchObject({ status: 'skipped' });
  });

  test('goes through a list with `for`, each round with the output of the one before', async () => {
    const loop = {
      for: { each: 'color', in: '.colors', at: 'at' },
      while: '(.found | length) < 2',
      do: [{ add: { set: { colors: '${ .colors }', found: '${ .found + [{color: $color, at: $at}] }' } } }],
    };
    const run = await world.run(user, [{ loop }], { colors: ['red', 'green', 'blue'] });
    expect(run.output.found).toEqual([
      { color: 'red', at: 0 },
      { color: 'green', at: 1 },
    ]);
    expect(run.steps.filter((step: { name: string }) => step.name === 'add')).toMatchObject([
      { path: '/do/0/loop/do/0/add', iteration: [0] },
      { path: '/do/0/loop/do/0/add', iteration: [1] },
    ]);
  });

  test('runs branches side by side and puts their outputs out in the branches’ order', async () => {
    const branch = (ms: number, value: number) => ({
      do: [{ wait: { wait: { milliseconds: ms } } }, { value: { set: { value } } }],
    });
    const run = await world.run(user, [
      { both: { fork: { branches: [{ slow: branch(900, 1) }, { quick: branch(800, 2) }] } } },
    ]);
    expect(run.output).toEqual([{ value: 1 }, { value: 2 }]);
    const waits = run.steps.filter(({ name }: Run) => name === 'wait');
    const begun = waits.map((step: Run) => step.started_at).sort();
    const over = waits.map((step: Run) => step.ended_at).sort();
    expect(begun[1] < over[0]).toBe(true);
  });

  test('follows switch, exit and end', async () => {
    const steps = [
      { choose: { switch: [{ big: { when: '.n > 5', then: 'big' } }, { rest: { then: 'small' } }] } },
      { small: { set: { size: 'small' }, then: 'exit' } },
      {
        big: {
          do: [{ inner: { set: { size: 'big' }, then: 'end' } }, { never: { set: { size: 'wrong' } } }],
        },
      },
      { last: { set: { size: 'wrong' } } },
    ];
    expect((await world.run(user, steps, { n: 9 })).output).toEqual({ size: 'big' });
    expect((await world.run(user, steps, { n: 1 })).output).toEqual({ size: 'small' });
  });

  test('tells visits of a task apart, also when `then` leads back to what it is in: each has its effect', async () => {
    const to = `visits-${Date.now()}@example.org`;
    const mail = {
      call: 'notify.email',
      with: { to, subject: 'A visit', text: 'Here' },
      output: { as: '{ n: (($input.n // 0) + 1), ids: (($input.ids // []) + .mail_ids) }' },
    };
    const run = await world.run(
      user,
      [
        { outer: { do: [{ mail }, { inner: { switch: [{ twice: { when: '.n == 1', then: 'mail' } }] } }] } },
        { back: { switch: [{ more: { when: '.n < 4', then: 'outer' } }] } },
      ],
      {},
    );
    expect(run).toMatchObject({ status: 'completed', output: { n: 4 } });
    expect(new Set(run.output.ids).size).toBe(4);
    const visits = run.steps.filter(({ name }: Run) => name === 'mail').map((step: Run) => step.iteration);
    expect(visits).toHaveLength(4);
    expect(visits.slice(0, 2)).toEqual([[], [1]]);
  });

  test('fails at a task with the specification’s problem, pointing at it', async () => {
    const run = await world.run(
      user,
      [{ group: { do: [{ broken: { set: { a: '${ .a | error("no a") }' } } }] } }],
      { a: 1 },
    );
    expect(run).toMatchObject({
      status: 'failed',
      error: {
        type: 'https://open-workflow-specification.org/dsl/errors/types/expression',
        status: 400,
        detail: expect.stringContaining('no a'),
        instance: '/do/0/group/do/0/broken',
      },
    });
    expect(run.steps).toMatchObject([
      { name: 'group', status: 'failed' },
      { name: 'broken', status: 'failed' },
    ]);
    const handle = world.temporal.workflow.getHandle(run.id);
    await until(
      async () => (await handle.describe()).status.name, // people see the end a moment before Temporal has it
      (status) => status === 'FAILED',
      60_000,
    );
  });

  test('ends a task at its time limit', async () => {
    const run = await world.run(user, [
      { long: { wait: 'PT1H', timeout: { after: { milliseconds: 200 } } } },
    ]);
    expect(run.error).toMatchObject({
      type: expect.stringMatching(/timeout$/),
      status: 408,
      instance: '/do/0/long',
    });
  });

  test('sees in output.as what the tasks inside exported', async () => {
    const loop = {
      for: { in: '[1, 2, 3]' },
      do: [{ add: { set: '${ . }', export: { as: '($context // 0) + $item' } } }],
      output: { as: '{ sum: $context }' },
    };
    const run = await world.run(user, [{ loop }], null);
    expect(run.output).toEqual({ sum: 6 });
  });

  test('knows when it began as the specification says', async () => {
    const run = await world.run(user, [
      { when: { set: { task: '${ $task.startedAt }', run: '${ $workflow.startedAt }' } } },
    ]);
    const moment = {
      iso8601: expect.stringMatching(/Z$/),
      epoch: { seconds: expect.any(Number), milliseconds: expect.any(Number) },
    };
    expect(run.output).toEqual({ task: moment, run: moment });
  });

  test('keeps numbers, unicode and key order as they are', async () => {
    const input = { z: 1, a: [0.1, -5, 1e21, 9007199254740991], text: '✓ 日本 𝄞', empty: {}, nothing: null };
    const run = await world.run(user, [{ keep: { set: { all: '${ . }' } } }], input);
    expect(run.output.all).toEqual(input);
    expect(Object.keys(run.input)).toEqual(Object.keys(input));
  });

  test('pins the version it was triggered with', async () => {
    const id = await world.newWorkflow(user, [{ v: { set: { version: 'one' } } }]);
    const { token } = user;
    await world.api('PUT', `/api/neosyntis/workflows/${id}`, {
      token,
      body: { steps: [{ v: { set: { version: 'two' } } }] },
    });
    const trigger = (body: object) =>
      world.api('POST', `/api/neosyntis/workflows/${id}/trigger?wait=20`, { token, body });
    const outputOf = async (body: object) => {
      const { run_id } = (await trigger(body)).body;
      return (await world.untilRun(user, run_id, ({ status }) => status === 'completed')).output;
    };
    expect(await outputOf({})).toEqual({ version: 'two' });
    expect(await outputOf({ version: 1 })).toEqual({ version: 'one' });
    expect((await trigger({ version: 3 })).status).toBe(404);
  });

  test('is cancelled by its owner and says so', async () => {
    const id = await world.newWorkflow(user, [{ long: { wait: { hours: 1 } } }]);
    const { token } = user;
    const { body } = await world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, { token });
    await world.untilRun(user, body.run_id, (run) => run.steps[0]?.status === 'waiting');
    expect((await world.api('POST', `/api/neosyntis/runs/${body.run_id}/cancel`, { token })).status).toBe(
      202,
    );
    const run = await world.untilRun(user, body.run_id, ({ status }) => status === 'cancelled');
    expect(run.steps[0].status).toBe('cancelled');
    const job = await world.api('GET', `/api/myntrix/jobs/${body.job_id}`, { token });
    expect(job.body.status).toBe('cancelled');
  });

  test('of one Idempotency-Key is one run', async () => {
    const id = await world.newWorkflow(user, [{ a: { set: { a: 1 } } }]);
    const trigger = (input: number) =>
      world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, {
        token: user.token,
        body: { input },
        headers: { 'Idempotency-Key': `key-${id}` },
      });
    const answers = await Promise.all(Array.from({ length: 8 }, () => trigger(1)));
    expect(new Set(answers.map(({ body }) => body.run_id)).size).toBe(1);
    expect((await trigger(2)).status).toBe(422);
    const { body: runs } = await world.api('GET', `/api/neosyntis/workflows/${id}/runs`, {
      token: user.token,
    });
    expect(runs).toHaveLength(1);
  });

  test('of another verb sends a mail once', async () => {
    const subject = `Report ${user.username}`;
    const run = await world.run(
      user,
      [
        {
          tell: {
            call: 'notify.email',
            with: { to: 'ops@example.org', subject: '${ .subject }', text: 'All is well.' },
          },
        },
      ],
      { subject },
    );
    expect(run).toMatchObject({ status: 'completed', error: null });
    const { body: mails } = await world.api('GET', '/api/outbox', { token: world.admin.token });
    expect(mails.filter((mail: { subject: string }) => mail.subject === subject)).toHaveLength(1);
    const wrong = await world.run(
      user,
      [{ tell: { call: 'notify.email', with: { to: '${ .to }', subject: 'x', text: 'y' } } }],
      { to: 'not an address' },
    );
    expect(wrong.error).toMatchObject({ type: expect.stringMatching(/validation$/) });
    // It was asked once, within the run's turn: what it says it would say again. A turn that was too short for it on a
    // slow machine is an attempt of its own.
    const handle = world.temporal.workflow.getHandle(wrong.id);
    await handle.result().catch(() => undefined); // the end is told before Temporal has it
    const { events } = await handle.fetchHistory();
    const asked = events?.flatMap(({ activityTaskScheduledEventAttributes: about }) => about ?? []);
    const calls = asked?.filter(({ activityType }) => activityType?.name === 'callVerb');
    const path = `/api/neosyntis/runs/${wrong.id}/step?path=/do/0/tell`;
    const { attempts } = (await world.api('GET', path, { token: user.token })).body;
    expect(attempts.filter(({ error }: Run) => /validation$/.test(error.type))).toHaveLength(1);
    expect(calls).toHaveLength(attempts.length - 1);
  });
});
