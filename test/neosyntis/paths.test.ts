import { beforeAll, describe, expect, test } from '@jest/globals';
import { type Jq, loadJq } from 'jq-wasm/inline';
import { pathValue } from '../../domain/neosyntis/paths.ts';

let jq: Jq;
beforeAll(async () => {
  jq = await loadJq();
});

const input = {
  a: { b: [1, { c: null }, 'x'], 'two words': true, and: 7, _x1: 'under' },
  empty: {},
  list: [[1, 2], [3]],
  n: 0.1,
  big: 1e300,
  text: 'é\u0000😀',
  no: false,
};
const variables = { item: { a: [10, 20] }, index: 3, nothing: null };
const args = Object.entries(variables).flatMap(([name, value]) => ['--argjson', name, JSON.stringify(value)]);

/** What jq gives; nothing when it says that the expression is wrong. */
function byJq(text: string): unknown[] | undefined {
  try {
    return jq.json(JSON.stringify(input), text, args);
  } catch {
    return undefined;
  }
}

const heads = ['.', '$item', '$index', '$nothing', '$unknown'];
const tails = [
  '',
  'a',
  '.a',
  '.b',
  '.and',
  '._x1',
  '[0]',
  '[-1]',
  '.[1]',
  '[9]',
  '["a"]',
  '.["two words"]',
  '.no',
];
const more = [
  '.a.b[1].c',
  '.a.b[1].c.d[3]',
  '.list[0][-2]',
  '.list[1][-2]',
  '.text',
  '.big',
  '..',
  '.a..b',
  '.a?',
  '.[]',
];
more.push(
  '.a["b"][2]',
  '$item["a"][1]',
  '$item.a.[0]',
  '.a[',
  '.0',
  '.a b',
  '.a|.b',
  '."a"',
  '.a."b"',
  '$item a',
  '.["\\n"]',
);

describe('A path', () => {
  const all = heads.flatMap((head) => tails.flatMap((one) => tails.map((two) => head + one + two)));

  test('has the value that jq gives it, or is left to jq', () => {
    let known = 0;
    for (const text of [...new Set([...all, ...more])]) {
      const found = pathValue(text, input, variables);
      if (!found) continue;
      known++;
      expect([text, byJq(text)]).toEqual([text, [found.value]]);
    }
    expect(known).toBeGreaterThan(150);
  });

  test.each(['.', '.a', '.a.b', '$item', '$item.a[0]', '.a["two words"]', '.list[0][-1]'])(
    '%s needs no jq',
    (text) => {
      expect(pathValue(text, input, variables)).toBeDefined();
    },
  );

  test.each(['.a + 1', 'map(.a)', '$unknown', '.n.a', '.list.a', '.a[0]', '..', '.[]'])(
    '%s is jq’s',
    (text) => {
      expect(pathValue(text, input, variables)).toBeUndefined();
    },
  );
});
