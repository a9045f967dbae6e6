import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseYaml, yamlText } from '../../api/http/yaml.ts';

/** Texts that a careless writer of YAML would give back as something else. */
const hostile = [
  ...[
    '',
    ' ',
    '~',
    'null',
    'Null',
    'true',
    'False',
    'yes',
    'no',
    'on',
    'y',
    'n',
    '.nan',
    '-.inf',
    '<<',
    '=',
    '-',
  ],
  ...['0', '-0', '0o14', '014', '0x1F', '1e3', '1_000', '1.', '.5', '+1', '12:30:45', '2001-01-01', '1.0.3'],
  ...[
    'a: b',
    'a #b',
    '#a',
    '- a',
    '? a',
    ': a',
    '[a',
    '{a',
    '}',
    ']',
    ',',
    '&a',
    '*a',
    '!a',
    '|',
    '>',
    '%a',
    '@a',
    '`a',
  ],
  ...[
    '"',
    "'",
    '\\',
    '\t',
    'a\n',
    '\na',
    'a\n\nb\n\n',
    ' a',
    'a ',
    '\n',
    '\r\n',
    '\u0085',
    '\u2028',
    '\ufeff',
    '\u0001',
  ],
  ...[
    '---',
    '...',
    '--- a',
    '%YAML 1.1',
    'é😀',
    `\${ "a: \\(.b)" }`,
    `line\n  deeper\n\tthan\n`,
    '<<: *a',
    '!!binary x',
  ],
  'a '.repeat(200),
  ` ${'a '.repeat(200)}\n`,
  ` ${'word '.repeat(60)}\n${'x'.repeat(300)}`,
];
const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...hostile) },
  fc.string({ unit: 'grapheme' }),
  fc.array(fc.constantFrom(...hostile), { maxLength: 4 }).map((parts) => parts.join('')),
);
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 5, depthIdentifier: 'yaml' },
    text,
    fc.constantFrom(null, true, false, 0, -1, 1.5, 1e21, 1e-7, 9007199254740991),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
    fc.array(tie('json'), { maxLength: 4, depthIdentifier: 'yaml' }),
    fc.dictionary(text, tie('json'), { maxKeys: 4, depthIdentifier: 'yaml' }),
  ),
}));

test('What is written as YAML is read as the same JSON, whatever its texts look like', () => {
  fc.assert(
    fc.property(json, (value) => {
      const document = { value, do: [{ step: { set: { value } } }] };
      expect(parseYaml(yamlText(document))).toEqual(document);
    }),
    { numRuns: 500 },
  );
});

test.each([' \n', '  \n\n', ' \t\n', ' x\n', '\n x', ' \nx', `\n ${'x y '.repeat(30)}\n z`])(
  'A text that begins with a space or a line’s end is read as it was: %j',
  (text) => {
    for (const value of [text, [[{ '': text }]], { [text]: [text, { a: text, b: 1 }] }])
      expect(parseYaml(yamlText(value))).toEqual(value);
  },
);

test.each<[string, string, RegExp]>([
  ['a mistake', 'a: 1\nb: [1,\nc: 2', /\(line 3, column 1\)/],
  ['a tab', 'a:\n\tb: 1', /Tabs are not allowed.*\(line 2, column 1\)/],
  ['a key twice', 'do:\n  - a: 1\n    "a": 2', /the key "a" is there twice \(line 3, column 5\)/],
  ['a key that is a list', '? [a]\n: b', /a key is text.*line 1/],
  ['a key that is nothing', '~: b', /a key is text/],
  ['a tag', 'a: !mine b', /Unresolved tag: !mine \(line 1, column 4\)/],
  ['a tag that is no JSON', 'a: !!binary aGk=', /Unresolved tag.*binary/],
  ['what is not a number', 'a:\n  - .nan', /\.nan is no number of JSON \(line 2, column 5\)/],
  ['two documents', 'a: 1\n---\nb: 2', /multiple documents/],
  ['an alias of nothing', 'a: *b', /Unresolved alias/],
  ['101 aliases', `a: &a b\nc: [${'*a, '.repeat(101)}]`, /more than 100 aliases \(line 2/],
  ['a laugh of billions', laugh(), /Excessive alias count/],
  ['what is deeper than 200 objects', `${'['.repeat(500)}${']'.repeat(500)}`, /more than 200 levels/],
  ['what is much deeper', '- '.repeat(50_000), /nested too deep|stack|more than 200 levels/],
  ['more than 512 KiB', `a: "${'b'.repeat(512 * 1024)}"`, /longer than 524288 characters/],
])('YAML with %s is refused at its place', (_name, yaml, says) => {
  expect(() => parseYaml(yaml)).toThrow(says);
});

function laugh(): string {
  const names = [...'abcdefgh'];
  return names
    .map((name, at) => `${name}: &${name} [${at ? `*${names[at - 1]}, `.repeat(9) : 'x'}]`)
    .join('\n');
}

test('YAML is what version 1.2 says, whatever version it asks for', () => {
  expect(parseYaml('%YAML 1.1\n---\na: yes\nb: 2001-01-01\nc: &c {d: 014}\ne:\n  <<: *c')).toEqual({
    a: 'yes',
    b: '2001-01-01',
    c: { d: 14 },
    e: { '<<': { d: 14 } },
  });
});
