import { beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Jq, loadJq } from 'jq-wasm/inline';
import { plainValue } from '../../domain/neosyntis/plain-expressions.ts';

let jq: Jq;
beforeAll(async () => {
  jq = await loadJq();
});

const input = {
  n: 4,
  half: 0.5,
  third: 1 / 3,
  negative: -2,
  zero: 0,
  big: 1e300,
  text: 'é😀',
  yes: true,
  no: false,
  list: [1, 2],
  object: { n: 5 },
  long: 'x'.repeat(3_000),
};
const variables = { item: { n: 7, text: 'done' }, nothing: null };
const args = Object.entries(variables).flatMap(([name, value]) => ['--argjson', name, JSON.stringify(value)]);

/** What jq gives for each; nothing where it says that the expression is wrong. */
function byJq(texts: string[]): (unknown[] | null)[] {
  // A program is a millisecond of reading jq's own library first: many go into one.
  const tries = texts.map((text) => `(try [${text}\n] catch null)`);
  try {
    return jq.json<(unknown[] | null)[]>(JSON.stringify(input), `[${tries.join(', ')}]`, args)[0] ?? [];
  } catch {
    // One that is no jq at all.
    const half = Math.ceil(texts.length / 2);
    return texts.length === 1 ? [null] : [...byJq(texts.slice(0, half)), ...byJq(texts.slice(half))];
  }
}

/** Those that are done without jq, and how many of them are something else by jq. */
function compared(texts: string[]) {
  const plain = texts.flatMap((text) => {
    const { value } = plainValue(text, input, variables) ?? {};
    return value === undefined ? [] : [{ text, plain: value }];
  });
  const answers = byJq(plain.map(({ text }) => text));
  expect(answers).toHaveLength(plain.length);
  const wrong = answers.flatMap((values, index) => {
    const [value, ...others] = values ?? [undefined, 'an error'];
    const same = others.length === 0 && JSON.stringify(value) === JSON.stringify(plain[index]?.plain);
    return same ? [] : [{ ...plain[index], jq: values ?? 'an error' }];
  });
  return {
    done: plain.length,
    wrong: wrong.sort((one, other) => (one.text?.length ?? 0) - (other.text?.length ?? 0)),
  };
}

const operands = [
  ...['.', ...Object.keys(input).map((name) => `.${name}`), '.absent', '.list[1]', '.object.n'],
  ...['$item.n', '$item.text', '$nothing', '$unknown', '.n.n', '.list.n'],
  ...['0', '3', '0.1', '999999999999999', '"done"', '""', 'true', 'null', '$', '-1', '1e3', '"\\(1)"'],
];
const operators = ['+', '-', '*', '==', '!=', '<', '<=', '>', '>=', '/', '//', 'and', 'or', '=', '+=', ''];

test('What is done without jq is what jq gives, and nothing that jq refuses', () => {
  const rights = ['.n', '.third', '.text', '.no', '.absent', '.list', '$item.n', '3', '"done"'];
  const texts = operands.flatMap((left) =>
    operators.flatMap((operator) => rights.map((right) => `${left} ${operator} ${right}`)),
  );
  const { done, wrong } = compared(texts);
  expect(wrong).toEqual([]);
  expect(done).toBeGreaterThan(500);
});

test('Random sums, comparisons and conditions give what jq gives', () => {
  const operand = fc.constantFrom(...operands.filter((one) => one !== '$'));
  const { expression } = fc.letrec<{ expression: string; term: string }>((tie) => ({
    term: fc.oneof(
      { weight: 4, arbitrary: operand },
      tie('expression').map((inner) => `(${inner})`),
    ),
    expression: fc
      .tuple(tie('term'), fc.array(fc.tuple(fc.constantFrom(...operators), tie('term')), { maxLength: 3 }))
      .map(([first, rest]) => [first, ...rest.flat()].join(' ')),
  }));
  const { done, wrong } = compared(fc.sample(expression, 4_000));
  expect(wrong).toEqual([]);
  expect(done).toBeGreaterThan(100);
});

test.each([
  ['.n + 1', 5],
  ['.n+1', 5],
  ['.n -1', 3],
  ['  $item.text == "done" ', true],
  ['.absent + 1', 1],
  ['.n < $item.n', true],
  ['.text + .text', 'é😀é😀'],
  ['.n + 1 + 2', 7],
  ['.n + $item.n < 0', false],
  ['.n * (1 + 2) - .half / 2', 11.75],
  ['.n > 3 and $item.text == "done" or .no', true],
])('%s is done without jq', (text, value) => {
  expect(plainValue(text, input, variables)).toEqual({ value });
});

test('What is no plain expression is seen to be none at once, however long it is', () => {
  for (const start of ['.', '$', '.a.', '.a[0].', '1 + .', '.n + $'])
    for (const end of [' | length', '!', ' +', '.', '['])
      expect(plainValue(`${start}${'a'.repeat(5_000)}${end}`, input, variables)).toBeUndefined();
});

test.each([
  '.big * .big',
  '.n + 007',
  '.n + "1"',
  '.list == .list',
  '.text < "z"',
  '.n < 5 == true',
  '.n / .zero',
  '.n - -1',
  '(.n + 1',
  '.n + 1)',
  '.no and .list.n',
  '.nand .n',
  '.n | . + 1',
  '.long + .long',
  '"\n" == .text',
])('%s is left to jq', (text) => {
  expect(plainValue(text, input, variables)).toBeUndefined();
});
