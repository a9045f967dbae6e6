import fc from 'fast-check';
import { examples } from '../neosyntis/definition.examples.ts';
import { valid } from '../neosyntis/definition.mutations.ts';
import { mutate, mutation } from './mutate.ts';

/** Nothing answers there, so that a run that calls out ends soon and reaches nobody. */
const nowhere = (text: string) => text.replaceAll(/https?:\/\/[^"\\]*/g, 'http://127.0.0.1:9/');
const harmless = <T>(value: T): T => JSON.parse(nowhere(JSON.stringify(value)));

const documents = [valid(), ...Object.values(examples)].map(harmless) as { do: unknown[] }[]; // written beside
const tasks = documents.flatMap((document) => document.do);

const short = [
  ...[
    'wait 1s',
    'wait',
    'wait PT0S',
    'wait 9e99s',
    'notify.email',
    'notify.email to=a@example.org',
    'say hello',
  ],
  ...[
    'notify.email to=a@example.org subject="x text=y',
    'notify.email =',
    'notify.email a=b=c',
    '${',
    'wait ${ . }',
  ],
];

const expressions = [
  ...[
    '.',
    '.a',
    '.a.b[0]?',
    '$input',
    '$context',
    '$workflow',
    '$task',
    '$item',
    '$error',
    '$nothing',
    '..',
    '...',
  ],
  ...[
    '',
    ' ',
    '.a |',
    '(((',
    ')))',
    '"\\(1)"',
    '"\\(',
    '@base64d',
    '@text "x\\(.)"',
    'input',
    'inputs',
    'env',
    '$ENV',
  ],
  ...[
    '$__loc__',
    '$__prog_args',
    'import "a" as a; .',
    'include "a"; .',
    'def f: f; f',
    'def f(g): g|f(g); f(.)',
  ],
  ...[
    '[range(1e9)]',
    'last(range(1e9))',
    'repeat(.)',
    'limit(3; repeat(1))',
    '[limit(1e8; repeat("a"))] | add',
  ],
  ...[
    '"a" * 1e9',
    '[.[]?] * 3',
    '1/0',
    '0/0',
    'nan',
    'infinite',
    '-1 % 0',
    '1e1000',
    '100000000000000000001',
  ],
  ...[
    'test("(a+)+$")',
    '"aaaaaaaaaaaaaaaaaaaaaaaaaaaa!" | test("^(a+)+$")',
    'splits("")',
    'ltrimstr(1)',
    'tojson|fromjson',
  ],
  ...[
    'error',
    'error(null)',
    'error({a:1})',
    'halt',
    'halt_error',
    'debug',
    'stderr',
    'input_line_number',
    'now',
    'getpath(["a",0])',
  ],
  ...[
    'reduce .[] as [$a, {b: $c}] (0; . + $a)',
    'label $x | break $x',
    'try error("x") catch .',
    '. as [$a] ?// $a | $a',
  ],
  ...[
    '@sh',
    'ascii',
    'implode',
    '[1114112] | implode',
    '[55296] | implode',
    '"\\ud800"',
    '"\\u0000"',
    'strptime("%")',
    'mktime',
    'gsub("";"a")',
  ],
  ...[
    `${'('.repeat(3_000)}1${')'.repeat(3_000)}`,
    `[${'['.repeat(2_000)}${']'.repeat(2_000)}]`,
    '-'.repeat(5_000),
    '.a'.repeat(5_000),
  ],
  ...[
    `"${'\\('.repeat(500)}`,
    '1|'.repeat(3_000),
    '{'.repeat(2_000),
    `${'if . then '.repeat(800)}1`,
    '\0',
    '\ud800',
    '.a\n#',
    '.["a\0"]',
  ],
];

const expression = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...expressions) },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.constantFrom(...expressions), { minLength: 2, maxLength: 4 })
      .map((parts) => parts.join(' | ')),
  },
  {
    weight: 1,
    arbitrary: fc.string({ unit: fc.constantFrom(...'.|,:;$@"\\()[]{}?/=<>+-*%!#&_ab01 \n'), maxLength: 60 }),
  },
);
const template = expression.map((text) => `\${ ${text} }`);

/** A task around an expression, at each place that takes one. */
const computed = fc.tuple(expression, template, fc.nat(11)).map(([bare, wrapped, kind]): unknown => {
  const set = { set: { value: 1 } };
  return [
    { set: { value: wrapped } },
    { set: wrapped },
    { ...set, if: bare },
    { ...set, input: { from: bare } },
    { ...set, output: { as: bare } },
    { ...set, export: { as: { value: wrapped } } },
    { for: { each: 'one', in: bare }, while: bare, do: [{ inner: set }] },
    { switch: [{ one: { when: bare, then: 'end' } }] },
    { wait: wrapped },
    { raise: { error: { type: wrapped, status: 400, detail: wrapped } } },
    {
      try: [{ inner: set }],
      catch: { when: bare, as: 'why', retry: { when: bare, limit: { attempt: { count: 2 } } } },
    },
    { run: { shell: { command: 'true', arguments: [wrapped], stdin: wrapped } } },
  ][kind];
});

const { list } = fc.letrec<{ list: unknown[]; task: unknown }>((tie) => ({
  list: fc
    .array(tie('task'), { minLength: 1, maxLength: 5 })
    .map((items) =>
      items.map((item, index) =>
        typeof item === 'string' || hasName(item) ? item : { [`t${index}`]: item },
      ),
    ),
  task: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    { weight: 4, arbitrary: fc.constantFrom(...tasks) },
    { weight: 4, arbitrary: computed },
    { weight: 1, arbitrary: fc.constantFrom(...short) },
    { weight: 1, arbitrary: tie('list').map((inner) => ({ do: inner })) },
    { weight: 1, arbitrary: tie('list').map((inner) => ({ for: { in: '[1, 2]' }, do: inner })) },
    { weight: 1, arbitrary: tie('list').map((inner) => ({ fork: { branches: inner, compete: true } })) },
    { weight: 1, arbitrary: tie('list').map((inner) => ({ try: inner, catch: { do: inner } })) },
  ),
}));

/** Tasks of the examples have their names; those made here get one. */
const hasName = (item: unknown) => tasks.includes(item);

const mutations = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  { weight: 3, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 4 }) },
);

/** Steps of all task kinds, whole and broken. */
export const steps = fc.tuple(list, mutations).map(([value, changes]) => mutate(value, changes));

/** Steps that can be saved, so that runs of them can be started. */
export const soundSteps = fc
  .array(computed, { minLength: 1, maxLength: 3 })
  .map((items) => items.map((item, index) => ({ [`t${index}`]: item })));

/** Whole documents, whole and broken. */
export const importDocument = fc
  .tuple(fc.constantFrom(...documents), list, fc.boolean(), mutations)
  .map(([document, other, replaced, changes]) =>
    mutate(replaced ? { ...document, do: other } : document, changes),
  );
