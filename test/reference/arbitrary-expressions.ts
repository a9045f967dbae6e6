// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import fc from 'fast-check';

/** Values that documents are made of: small, so that a counterexample can be read. */
export const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 2, depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, 1, 2, -1, 0.5, '', 'a', 'b c', 'ä', '.a', '1'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'n', 'list'), tie('value'), { maxKeys: 3 }),
  ),
})).value;

/** A run's input: mostly what the expressions look for. */
export const input = fc.oneof(
  { weight: 4, arbitrary: fc.record({ a: value, n: fc.nat(3), list: fc.array(value, { maxLength: 3 }) }) },
  { weight: 1, arbitrary: value },
);

const safe = [
  '.',
  '.a?',
  '.n?',
  '1',
  '"text"',
  'null',
  '{a: .}',
  '[.]',
  '{a: 1, n: 2, list: [1, 2]}',
  '$input',
  '$context',
  '$task.name',
  '$task.reference',
  '$task.input',
  '$task.output',
  '$task.definition | keys',
  '$workflow.input',
  '$workflow.definition.document.name',
  '$workflow.definition.do | length',
  '$workflow.id | type',
  '$task.startedAt.epoch.seconds | type',
  '$runtime.name',
  '[$context, .]',
  '{n: ((.n? // 0) + 1), list: (.list? // [])}',
  'tostring',
  'type',
  'if type == "object" then .a else . end',
  '(.n? // 0) as $one | {n: $one}',
  'def f: 7; f',
  'reduce range(3) as $i (0; . + $i)',
  '.. |= .',
  '[.[]?]',
  'empty',
  'try error("caught") catch .',
  '# a comment\n.',
  '"\\(.n?) of \\($task.name)"',
];

const risky = [
  '.a',
  '.a.b',
  '.[0]',
  '.n + 1',
  '.list[1]',
  '.list | length',
  '[.list[] | {a: .}]',
  'map(. + 1)',
  'keys',
  'length',
  '.a, .n',
  'error("no")',
  'error',
  'error({a: 1})',
  'error(null)',
  'tonumber',
  'fromjson',
  '.a / .n',
  'test("a")',
  '$input.a.b',
  '$context.a',
  '$output',
];

const conditions = [
  'true',
  'false',
  'null',
  '0',
  '.n? > 1',
  '.n? == 1',
  'type == "number"',
  '(.n? // 0) < 2',
  '. == null',
  '$context == null',
  '$context != null',
  'type == "object"',
  'empty',
  '.a?',
];

const riskyConditions = ['.n > 1', 'has("a")', 'error("condition")', 'true, false'];

const ofVariable = (name: string) =>
  name === 'index' || name === 'at'
    ? [`$${name}`, `$${name} + 1`, `{n: $${name}}`]
    : name === 'error' || name === 'why'
      ? [
          `$${name}.status`,
          `$${name}.instance`,
          `($${name}.type | split("/") | last)`,
          `$${name} | keys | length > 2`,
        ]
      : [`$${name}`, `{a: $${name}}`, `[., $${name}]`, `$${name}.a?`];

/** jq, without `${ }`; `variables` are those in reach besides the built-in ones. */
export const expression = (variables: readonly string[]) =>
  fc.oneof(
    { weight: 16, arbitrary: fc.constantFrom(...safe) },
    {
      weight: variables.length > 0 ? 8 : 0,
      arbitrary: fc.constantFrom('.', ...variables.flatMap(ofVariable)),
    },
    { weight: 1, arbitrary: fc.constantFrom(...risky) },
  );

export const condition = (variables: readonly string[]) => {
  const own = variables.flatMap((name) =>
    name === 'index' || name === 'at'
      ? [`$${name} < 1`, `$${name} == 0`]
      : name === 'error' || name === 'why'
        ? [`$${name}.status == 400`, `$${name}.status > 450`, `$${name}.type | endswith("expression")`]
        : [`$${name} == 1`, `$${name}`],
  );
  return fc.oneof(
    { weight: 10, arbitrary: fc.constantFrom(...conditions) },
    { weight: 1, arbitrary: fc.constantFrom(...riskyConditions) },
    { weight: own.length > 0 ? 10 : 0, arbitrary: fc.constantFrom('true', ...own) },
  );
};

const enclosed = (source: string) => `\${ ${source} }`;

/** In `${ }` or without, where the field is an expression by nature. */
export const bare = (source: fc.Arbitrary<string>) =>
  fc.tuple(source, fc.boolean()).map(([text, inBraces]) => (inBraces ? enclosed(text) : text));

export const inBraces = (variables: readonly string[]) => expression(variables).map(enclosed);

/** An object some of whose values are expressions, at any depth. */
export const template = (variables: readonly string[]) => {
  const leaf = fc.oneof({ weight: 3, arbitrary: inBraces(variables) }, { weight: 1, arbitrary: value });
  return fc.dictionary(
    fc.constantFrom('a', 'n', 'list', 'b'),
    fc.oneof({ weight: 4, arbitrary: leaf }, { weight: 1, arbitrary: fc.array(leaf, { maxLength: 2 }) }),
    { minKeys: 1, maxKeys: 3 },
  );
};

export const shape = (variables: readonly string[]) =>
  fc.oneof(
    { weight: 2, arbitrary: bare(expression(variables)) },
    { weight: 1, arbitrary: template(variables) },
  );
