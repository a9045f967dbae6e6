import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

const nestedList = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);

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

  test('refuses a value that is nested too deep for it, by which path ever it grew', async () => {
    const nest = (levels: number): unknown => (levels === 0 ? '${ . }' : { a: nest(levels - 1) });
    const deep = [{ loop: { for: { in: '[range(150)]' }, do: [{ add: { set: nest(40) } }] } }];
    const run = await world.run(user, deep, 1);
    expect(run).toMatchObject({
      status: 'failed',
      error: { type: expect.stringMatching(/runtime$/), detail: expect.stringContaining('200 levels') },
      steps_total: 7,
    });
  });

  test('gives back hostile input as it is, by all ways that a value can take, or says what is wrong', async () => {
    const texts = ['__proto__', 'constructor', 'toString', '', '$ref', '\u202e', 'x'.repeat(2_000)];
    const values = JSON.parse(
      `[1.7976931348623157e308, 5e-324, 9007199254740993, "\\ud83d\\ude00", {"a":1,"a":2,"A":3}, {"":{"":[]}}]`,
    );
    const input = [
      ...values,
      ...[nestedList(90), Array.from({ length: 20_000 }, (_, at) => at)],
      Object.fromEntries(texts.filter((text) => text.length > 20).map((text) => [text, text])),
    ];
    const steps = [
      { plain: { set: { v: '${ . }' } } },
      { inline: { set: { v: '${ .v | if type == "array" then . else 1 end }' } } },
      { outside: { set: { v: '${ [.v[range(length)]?] | if length > 0 then . else 1 end }' } } },
      { each: { for: { each: 'one', in: '${ .v }' }, do: [{ keep: { set: { v: '${ $one }' } } }] } },
      { all: { set: '${ $workflow.input }' } },
    ];
    const run = await world.run(user, steps, input);
    expect(run).toMatchObject({ status: 'completed', error: null });
    expect(JSON.stringify(run.output)).toBe(JSON.stringify(input));
    const id = await world.newWorkflow(user, steps);
    for (const [wrong, status, what] of [
      [nestedList(2_000), 422, /100 levels/],
      ['a\0b', 422, /NUL/],
      [{ 'a\ud800': 1 }, 422, /surrogate/],
      [JSON.parse('{"__proto__":{"a":1}}'), 400, /__proto__|prototype/],
      [JSON.parse('{"constructor":{"prototype":{}}}'), 400, /constructor|prototype/],
      ['x'.repeat(2 ** 20), 413, /larger than/],
    ] as const)
      for (const [path, body] of [
        [`workflows/${id}/trigger`, { input: wrong }],
        ['events', { specversion: '1.0', id: '1', source: '/a', type: 'a', data: wrong }],
      ] as const) {
        const answer = await world.api('POST', `/api/neosyntis/${path}`, { token: user.token, body });
        expect([path, answer.status, answer.text]).toEqual([path, status, expect.stringMatching(what)]);
      }
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
