// biome-ignore-all lint/suspicious/noThenProperty: the specification's name; nothing awaits these objects.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { beforeAll, describe, expect, test } from '@jest/globals';
import { isBounded } from '../../domain/neosyntis/bounded.ts';
import type { CheckExpressions } from '../../domain/neosyntis/definition.ts';
import { expressionSource, isExpression } from '../../domain/neosyntis/expressions.ts';
import { createExpressionCheck } from '../../drivers/expressions/check.ts';

let checkExpressions: CheckExpressions;
beforeAll(async () => {
  checkExpressions = await createExpressionCheck();
});

describe('A value is an expression', () => {
  test.each<[string, boolean]>([
    ['${ .a }', true],
    [' ${ {a: "}"} } ', true],
    ['${ "\\(.a | "}")" }', true],
    ['${ .a', false],
    ['.a', false],
    ['${HOME}/bin:${PATH}', false],
    ['${ .a } and ${ .b }', false],
    ['cost: ${ .a }', false],
    ['${ "unclosed }', true],
  ])('only when it is wholly one: %j → %s', (value, is) => {
    expect(isExpression(value)).toBe(is);
  });

  test('whose source is what stands between the braces', () => {
    expect(expressionSource(' ${ {a: 1} } ')).toBe('{a: 1}');
    expect(expressionSource(' .a ')).toBe('.a');
  });
});

describe('An expression', () => {
  const check = (source: string, variables: string[] = []) => checkExpressions([{ source, variables }])[0];

  test.each(
    [
      ...[
        'input',
        'inputs',
        'debug',
        'stderr',
        'input_filename',
        '$__loc__',
        '$ENV',
        'env',
        'now',
        'localtime',
        'halt',
      ],
      ...[
        'halt_error',
        'input_line_number',
        'get_search_list',
        'strflocaltime("x")',
        'debug("x")',
        '{$ENV}',
        'env.PATH',
      ],
      ...[
        '{a: now}',
        '{(now|tostring): 1}',
        '"\\(now)"',
        'import "a" as a; 1',
        'include "a"; 1',
        '.a | now',
        '[now]',
      ],
      ...[
        '# x\nnow',
        'if now then 1 else 2 end',
        '{a: if . then 1, now else 2 end}',
        '@base64 "\\(env)"',
        '.[env]',
      ],
    ].map((source) => [source]),
  )('is refused for what it reaches: %s', (source) => {
    expect(check(source)).toMatch(/^uses `/);
  });

  test.each([
    ['.env'],
    ['.a.now'],
    ['{env: 1, now: 2}'],
    ['{env}'],
    ['."input"'],
    ['"now and debug"'],
    ['"\\(.env)"'],
    ['. as {env: $e} | $e'],
    ['# now\n.a'],
    ['$input'],
    ['mktime'],
    ['$item + $index'],
    ['$context, $output, $task, $workflow, $runtime'],
  ])('may hold these words elsewhere: %s', (source) => {
    expect(check(source, ['item', 'index'])).toBeUndefined();
  });

  test('is compiled, never run', () => {
    expect(check('def f: f; f')).toBeUndefined();
    expect(check('error("run")')).toBeUndefined();
    expect(check('"a" * 100000000000')).toBeUndefined();
    expect(check('[range(1e9)]')).toBeUndefined();
  });

  test('cannot be completed by its neighbours', () => {
    expect(
      checkExpressions([
        { source: '(1', variables: [] },
        { source: '2)', variables: [] },
      ]),
    ).toEqual([expect.stringMatching(/not closed/), expect.stringMatching(/closes nothing/)]);
  });

  test('with an error is named with line and column', () => {
    expect(check('.a |\n .b +')).toMatch(/syntax error, unexpected end of file \(line 2, column \d+\)$/);
  });

  test.each(
    [
      ...[
        '.a.b',
        '.a + 1',
        '.used / .total * 100 | floor',
        '"\\(.name): \\(.size)"',
        '[.pets[] | .name] | length',
      ],
      ...[
        'map(select(.size > 5))',
        'map(.name) | join(", ")',
        '$context + {a: .}',
        '$context * {a: 1}',
        '.["a b"]',
      ],
      ...[
        'if .a == 1 then "x" else "y" end',
        '.a // "none"',
        '.[2:4]',
        '{env: 1} | .env',
        'length as $n | $n + 1',
      ],
    ].map((source) => [source]),
  )('that is linear in its input is bounded: %s', (source) => {
    expect(check(source)).toBeUndefined();
    expect(isBounded(source)).toBe(true);
  });

  test.each(
    [
      ...[
        'range(5)',
        '[repeat(1)]',
        '[.[] | while(. < 5; . + 1)]',
        'until(. > 5; . + 1)',
        'recurse',
        '..',
        'walk(.)',
      ],
      ...[
        'limit(3; .[])',
        'def f: f; f',
        'reduce .[] as $x (0; . + $x)',
        'foreach .[] as $x (0; 1)',
        'combinations',
      ],
      ...[
        'test("a")',
        'match("a")',
        'capture("a")',
        'scan("a")',
        'sub("a"; "b")',
        'gsub("a"; "b")',
        'splits("a")',
      ],
      ...[
        '"a" * 1000',
        '.a * .b',
        '.a * 5000',
        '.a - .b',
        'paths',
        'first(.[])',
        'nth(5; .[])',
        'isempty(.[])',
      ],
      ...['any(.[]; . > 1)', 'contains(["a"])', 'index("a")', 'flatten', 'transpose', '.a[.b]', 'join(.sep)'],
      ...[
        '.a[] + .b[]',
        '{a: .x[], b: .y}',
        '"\\(.a[]) \\(.b)"',
        'map(. + $context.list)',
        '.a[5] = 1',
        'select(.a[])',
      ],
      ...[
        '.[] as $x | .',
        'keys[] + .b',
        '(1,2)+(1,2)+(1,2)+(1,2)+(1,2)+(1,2)+(1,2)',
        '.+.|.+.|.+.|.+.|.+.|.+.|.+.',
      ],
      ...['sort|sort|sort|sort', '.a[', 'nofn'],
    ].map((source) => [source]),
  )('that is not surely linear is not bounded: %s', (source) => {
    expect(isBounded(source)).toBe(false);
  });
});
