import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isTooDeep } from '../../domain/neosyntis/depth.ts';
import { plainValue } from '../../domain/neosyntis/plain-expressions.ts';
import { unstorable } from '../../domain/storable.ts';
import type { Json } from '../../domain/wire.ts';
import { createGuardedEvaluator } from '../../drivers/expressions/guarded.ts';
import { expressionsOf, filled } from '../../workflows/neosyntis/engine/template.ts';
import { hostileText, hostileValue } from '../fuzz/hostile.ts';

const evaluator = createGuardedEvaluator({ threads: 1 });
afterAll(() => evaluator.close());

const nested = (levels: number): Json => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);
/** As it comes and goes: -0 is 0, and what is not defined is not there. */
const asJson = (value: unknown): Json => JSON.parse(JSON.stringify(value) ?? 'null');

describe('Hostile JSON', () => {
  test('goes through jq as it is, or is refused in words; the thread lives on', async () => {
    await fc.assert(
      fc.asyncProperty(hostileValue, hostileText, async (hostile, name) => {
        const value = asJson(hostile);
        const input = { [name]: value, plain: [value] };
        const result = await evaluator.evaluate({ source: '[., $input]', input, variables: { input } });
        if (unstorable(input)) expect(Object.keys(result)).toHaveLength(1);
        else expect(result).toEqual({ values: [[asJson(input), asJson(input)]] });
      }),
      { numRuns: 60 },
    );
  });

  test('as the operand of a short expression gives what jq gives, or is left to jq', async () => {
    const source = fc.constantFrom('.a + .b', '.a < .b', '.a == .b', '.a * .b', '.a.b', '.a[0]', '.a["b"]');
    await fc.assert(
      fc.asyncProperty(source, hostileValue, hostileValue, async (text, one, other) => {
        const input = asJson({ a: one, b: other });
        const plain = plainValue(text, input, {});
        if (!plain || unstorable(input)) return;
        const { values } = (await evaluator.evaluate({ source: text, input, variables: {} })) as {
          values: Json[];
        };
        // As JSON both: it has no -0, which jq gives as such.
        expect(asJson(values)).toEqual([asJson(plain.value)]);
      }),
      { numRuns: 60 },
    );
  });

  test('in a template stays what it is, with no name that means something to JavaScript', () => {
    fc.assert(
      fc.property(hostileText, hostileValue, (name, hostile) => {
        const value = asJson(hostile);
        const template = asJson([{ [name]: '${ .v }', [`${name}2`]: [value] }]);
        const sources = expressionsOf(template);
        const whole = filled(template, new Map([...sources].map((source) => [source, value])));
        expect(JSON.stringify(whole)).toBe(
          JSON.stringify(template, (_key, item) => (sources.size > 0 && isSource(item) ? value : item)),
        );
        // Objects' own, which has none itself; a name that made it another would give it one.
        expect(Object.getPrototypeOf(Object.getPrototypeOf((whole as object[])[0]))).toBe(null);
      }),
    );
  });

  test.each([201, 5_000, 100_000])('%i levels deep ends nothing: it is refused', async (levels) => {
    const value = nested(levels);
    const problem = { problem: expect.stringMatching(/too deep/) };
    expect(await evaluator.evaluate({ source: '.', input: { value }, variables: {} })).toEqual(
      levels > 1_000 ? problem : { values: [{ value }] },
    );
    expect(await evaluator.check({ schema: { items: { $ref: '#' } }, value })).toEqual(
      levels > 1_000 ? problem : { mismatches: [] },
    );
    expect(unstorable(value)?.what).toMatch(/100 levels/);
    if (levels < 1_000) expect([isTooDeep(value), isTooDeep(nested(200))]).toEqual([true, false]);
  });

  test('with a number that no number can hold is refused, as it would become null', () => {
    expect(unstorable(JSON.parse('{"a":[1e308,-1e400]}'))).toEqual({
      path: '/a/1',
      what: expect.stringContaining('1.8e308'),
    });
  });
});

const isSource = (item: unknown) => typeof item === 'string' && item.startsWith('${') && item.endsWith('}');
