import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
});
afterAll(() => world.close());

describe('A run that asks for much', () => {
  test('evaluates what may run long outside the workflow, and ends it', async () => {
    const counted = await world.run(user, [{ count: { set: { n: '${ [range(1000)] | add }' } } }]);
    expect(counted.output).toEqual({ n: 499_500 });
    const endless = await world.run(user, [{ spin: { set: { n: '${ last(repeat(1)) }' } } }]);
    expect(endless.error).toMatchObject({
      type: expect.stringMatching(/expression$/),
      detail: expect.stringContaining('1000 ms'),
    });
  });

  test('refuses a value that is too large for it, naming the limit', async () => {
    const run = await world.run(user, [{ large: { set: { text: '${ .x + .x }' } } }], {
      x: 'x'.repeat(600_000),
    });
    expect(run.error.detail).toMatch(/1048576/);
  });

  test('carries many large values, each within the limit', async () => {
    const steps = Array.from({ length: 12 }, (_, n) => ({ [`s${n}`]: { set: { n, text: '${ .text }' } } }));
    const branches = steps.map((step) => structuredClone(step));
    const run = await world.run(user, [...steps, { all: { fork: { branches }, output: { as: 'length' } } }], {
      text: '語'.repeat(60_000),
    });
    expect(run).toMatchObject({ status: 'completed', output: 12 });
    expect(run.steps[0].output).toMatchObject({ truncated: true, size_bytes: expect.any(Number) });
  });

  test('with 900 branches that compute ends, each branch once', async () => {
    const branches = Array.from({ length: 900 }, (_, n) => ({
      [`b${n}`]: { set: { n: `\${ .n + ${n} }` } },
    }));
    const run = await world.run(user, [{ all: { fork: { branches }, output: { as: 'map(.n) | add' } } }], {
      n: 1,
    });
    expect(run).toMatchObject({ status: 'completed', output: (900 * 899) / 2 + 900, steps_total: 901 });
  });

  test.each(['[0] | implode', '{([0] | implode): 1}', '"\\u0000"', '[range(1)] | implode'])(
    'fails when %s makes what no store can hold, and says so',
    async (source) => {
      const run = await world.run(user, [{ a: { set: { v: `\${ ${source} }` } } }]);
      expect(run.error).toMatchObject({
        type: expect.stringMatching(/expression$/),
        detail: expect.stringContaining('NUL'),
      });
    },
  );

  test('of pure tasks is cancelled, and ends at a time limit', async () => {
    const endless = [
      { again: { set: '${ . + { n: ((.n // 0) + 1) } }', then: 'back' } },
      { back: { switch: [{ on: { then: 'again' } }] } },
    ];
    const limited = await world.run(
      user,
      [{ spin: { do: endless, timeout: { after: { milliseconds: 300 } } } }],
      {},
    );
    expect(limited.error).toMatchObject({ type: expect.stringMatching(/timeout$/), instance: '/do/0/spin' });
    const id = await world.newWorkflow(user, endless);
    const { token } = user;
    const { body } = await world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, {
      token,
      body: { input: {} },
    });
    await world.untilRun(user, body.run_id, ({ steps_total }) => steps_total > 10);
    await world.api('POST', `/api/neosyntis/runs/${body.run_id}/cancel`, { token });
    const run = await world.untilRun(user, body.run_id, ({ status }) => status === 'cancelled');
    expect(run.progress).toBeLessThan(100);
  });

  test('is not harmed by another’s expression that takes all memory', async () => {
    const greedy = [{ a: { set: { v: '${ reduce range(1000000) as $i (0; [.]) }' } } }];
    const modest = [{ a: { set: { v: '${ [paths] | length }' } } }];
    for (const steps of [greedy, greedy, greedy])
      expect((await world.run(user, steps)).status).toBe('failed');
    for (const steps of [modest, modest, modest])
      expect((await world.run(user, steps, { a: { b: 1 } })).output).toEqual({ v: 2 });
  });
});
