import { afterAll, expect, test } from '@jest/globals';
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
