import { afterAll, expect, test } from '@jest/globals';
import { createGuardedEvaluator } from '../../drivers/expressions/guarded.ts';

const evaluator = createGuardedEvaluator({ threads: 1 });
afterAll(() => evaluator.close());

const evaluate = (source: string, signal?: AbortSignal) =>
  evaluator.evaluate({ source, input: null, variables: {} }, signal);

test('Who does not wait for an expression any more gives up the place in the queue', async () => {
  const endless = evaluate('last(repeat(1))');
  const waiting = new AbortController();
  const given = Array.from({ length: 90 }, () => evaluate('last(repeat(1))', waiting.signal));
  const startedAt = performance.now();
  const modest = evaluate('1 + 1');
  waiting.abort(new Error('too late'));
  for (const one of given) await expect(one).rejects.toThrow('too late');
  expect(await modest).toEqual({ values: [2] });
  // One second for the endless one, a new thread, and no second for each of the ninety.
  expect(performance.now() - startedAt).toBeLessThan(60_000);
  expect(await endless).toHaveProperty('problem');
  await expect(evaluate('1', AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
});

test('A schema that takes for ever, or too deep, is ended and says so; the next one is checked', async () => {
  const nested = JSON.parse(`${'['.repeat(4_000)}${']'.repeat(4_000)}`);
  const [endless, deep, fine] = await Promise.all([
    evaluator.check({ schema: { pattern: '^(a|a)*$' }, value: `${'a'.repeat(60)}!` }),
    evaluator.check({ schema: { items: { $ref: '#' } }, value: nested }),
    evaluator.check({ schema: { format: 'email', 'x-unknown': 5 }, value: 'a@b.org' }),
  ]);
  expect(endless).toEqual({ problem: expect.stringContaining('it took more than') });
  expect(deep).toEqual({ problem: 'it is nested too deep' });
  expect(fine).toEqual({ mismatches: [] });
});
