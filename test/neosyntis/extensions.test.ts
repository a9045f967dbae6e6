import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
});
afterAll(() => world.close());

async function run(parts: object, input: unknown): Promise<Run> {
  const document = { dsl: '1.0.3', namespace: 'test', name: 'extensions', version: '0.1.0' };
  const send = (path: string, body: unknown) =>
    world.api('POST', `/api/neosyntis/workflows/${path}`, { token: user.token, body });
  const { id } = await expectStatus(201, send('import', { document, ...parts }));
  const { run_id } = await expectStatus(202, send(`${id}/trigger`, { input }));
  return world.untilRun(user, run_id, ({ status }) => ['completed', 'failed'].includes(status));
}

const kept = (text: string) => ({
  keep: { set: { n: -1 }, export: { as: `($context // []) + [${text}]` } },
});

test('Extensions run around the tasks that they extend, see them, and may stand for them', async () => {
  const ended = await run(
    {
      use: {
        timeouts: { short: { after: 'PT30S' } },
        extensions: [
          {
            watch: {
              extend: 'set',
              when: '$task.name != "quiet"',
              before: [kept('"> \\($task.reference) \\($task.input.n)"')],
              after: [kept('"< \\($task.name) \\($task.output.n)"'), { over: { do: [], timeout: 'short' } }],
            },
          },
          {
            mock: {
              extend: 'all',
              when: '$task.set.n == "real"',
              before: [{ inside: { set: { n: 10 }, then: 'exit' } }, { never: { set: { n: 99 } } }],
              after: [kept('"never"')],
            },
          },
        ],
      },
      do: [
        {
          loop: {
            for: { in: '[1, 2]' },
            do: [{ add: { set: { n: '${ .n + $item }' }, output: { as: '. + { shaped: true }' } } }],
          },
        },
        { quiet: { set: { n: '${ .n + 100 }' } } },
        { mocked: { set: { n: 'real' }, output: { as: '{ n: (.n + 1) }' } } },
        { skipped: { if: 'false', set: { n: 0 } } },
      ],
      output: { as: '{ n, seen: $context }' },
    },
    { n: 1 },
  );
  expect(ended).toMatchObject({
    status: 'completed',
    error: null,
    output: {
      // The task that was mocked is told of before, and has nothing to be told of after.
      n: 11,
      seen: [
        '> /do/0/loop/do/0/add 1',
        '< add 2',
        '> /do/0/loop/do/0/add 2',
        '< add 4',
        '> /do/2/mocked 104',
      ],
    },
  });
  const places = ended.steps.map(({ path, iteration }: Run) => `${path} ${iteration.join('.')}`);
  expect(new Set(places).size).toBe(places.length);
  expect(places.filter((place: string) => place.includes('/use/'))).toEqual([
    '/use/extensions/0/watch/before/0/keep 0.0',
    '/use/extensions/0/watch/after/0/keep 0.0',
    '/use/extensions/0/watch/after/1/over 0.0',
    '/use/extensions/0/watch/before/0/keep 1.1',
    '/use/extensions/0/watch/after/0/keep 1.1',
    '/use/extensions/0/watch/after/1/over 1.1',
    '/use/extensions/0/watch/before/0/keep 2',
    '/use/extensions/1/mock/before/0/inside 0',
  ]);
  expect(ended.steps.find(({ name }: Run) => name === 'skipped').status).toBe('skipped');
});

test('What fails in an extension fails the task that it extends, and `end` ends the run', async () => {
  const raise = (status: number) => ({ raise: { error: { type: 'https://example.org/no', status } } });
  const extensions = (list: object[]) => ({ extensions: [{ one: { extend: 'wait', before: list } }] });
  const caught = {
    careful: {
      try: [{ rest: { wait: 'PT60S' } }],
      catch: { do: [{ tell: { set: { at: '${ $error.instance }' } } }] },
    },
  };
  const [failed, ended] = await Promise.all([
    run({ use: extensions([{ no: raise(409) }]), do: [caught] }, null),
    run({ use: extensions([{ done: { set: { a: 1 }, then: 'end' } }]), do: [caught] }, null),
  ]);
  expect(failed).toMatchObject({
    status: 'completed',
    output: { at: '/use/extensions/0/one/before/0/no' },
  });
  expect(failed.steps.map(({ name, status }: Run) => [name, status])).toEqual([
    ['careful', 'completed'],
    ['rest', 'failed'],
    ['no', 'failed'],
    ['tell', 'completed'],
  ]);
  expect(ended).toMatchObject({ status: 'completed', output: { a: 1 } });
});
