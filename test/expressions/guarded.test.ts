import { afterAll, expect, test } from '@jest/globals';
import type { Json } from '../../domain/wire.ts';
import { createGuardedEvaluator } from '../../drivers/expressions/guarded.ts';

const evaluator = createGuardedEvaluator({ threads: 1 });
afterAll(() => evaluator.close());

const evaluate = (source: string, signal?: AbortSignal) =>
  evaluator.evaluate({ source, input: null, variables: {} }, signal);

test('Who does not wait for an expression any more gives up the place in the queue', async () => {
  const endless = evaluate('last(repeat(1))');
  const waiting = new AbortController();
  const given = Array.from({ length: 20 }, () => evaluate('last(repeat(1))', waiting.signal));
  const startedAt = performance.now();
  const modest = evaluate('1 + 1');
  waiting.abort(new Error('too late'));
  for (const one of given) await expect(one).rejects.toThrow('too late');
  expect(await modest).toEqual({ values: [2] });
  // One second for the endless one, a new thread, and no second for each of the twenty.
  expect(performance.now() - startedAt).toBeLessThan(15_000);
  expect(await endless).toHaveProperty('problem');
  await expect(evaluate('1', AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
}, 40_000);

test('Hostile data and expressions get an answer each, and the next question is answered, too', async () => {
  const deep = (depth: number) => JSON.parse(`${'['.repeat(depth)}1${']'.repeat(depth)}`) as Json;
  const data: Json[] = [
    deep(200),
    deep(1_000),
    '\ud800',
    'a\0b',
    'x'.repeat(2_000_000),
    1e308,
    -0,
    Number.MAX_SAFE_INTEGER + 2,
    JSON.parse(
      '{"__proto__": {"polluted": 1}, "constructor": {"prototype": 2}, "": 3, "\\u0000": 4}',
    ) as Json,
  ];
  const sources = [
    '.',
    '[.]',
    '{a: .}',
    'tojson | fromjson',
    '[.. | scalars] | length',
    '$given',
    '.["__proto__"]?',
  ];
  const odd = [
    '"\ud800"',
    '\0',
    `${'['.repeat(3_000)}${']'.repeat(3_000)}`,
    '1e1000 - 1e1000',
    '[limit(9; repeat(.))]',
  ];
  const answers = await Promise.all([
    ...data.flatMap((input) =>
      sources.map((source) => evaluator.evaluate({ source, input, variables: { given: input } })),
    ),
    ...odd.map((source) => evaluator.evaluate({ source, input: null, variables: {} })),
  ]);
  for (const answer of answers) expect('values' in answer || typeof answer.problem === 'string').toBe(true);
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  expect(await evaluate('1 + 1')).toEqual({ values: [2] });
}, 60_000);
