// biome-ignore-all lint/suspicious/noThenProperty: the specification's name; nothing awaits these objects.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { beforeAll, describe, expect, test } from '@jest/globals';
import { type CheckExpressions, validateDocument, validateSteps } from '../../domain/neosyntis/definition.ts';
import { durationMs } from '../../domain/neosyntis/duration.ts';
import { verbs } from '../../domain/neosyntis/verbs.ts';
import { countTasks, usesCode, walkTasks } from '../../domain/neosyntis/walk.ts';
import { createExpressionCheck } from '../../drivers/expressions/check.ts';
import { cronProblem, zoneProblem } from '../../drivers/schedules/cron.ts';
import { examples } from './definition.examples.ts';
import { mutations, valid } from './definition.mutations.ts';

let checkExpressions: CheckExpressions;
beforeAll(async () => {
  checkExpressions = remembering(await createExpressionCheck());
});

/** Most mutations leave most expressions as they are: each is compiled once. */
function remembering(check: CheckExpressions): CheckExpressions {
  const known = new Map<string, string | undefined>();
  return (expressions) => {
    const keys = expressions.map((expression) => JSON.stringify(expression));
    const open = expressions.filter((_expression, at) => !known.has(keys[at] ?? ''));
    const results = check(open);
    for (const [at, expression] of open.entries()) known.set(JSON.stringify(expression), results[at]);
    return keys.map((key) => known.get(key));
  };
}

const steps = (list: unknown) => validateSteps(list, { root: '/steps', checkExpressions, verbs });
const checkTiming = { cron: cronProblem, zone: zoneProblem };
const document = (value: unknown) =>
  validateDocument(value, { root: '', checkExpressions, verbs, checkTiming });
const problemsOf = (result: ReturnType<typeof steps> | ReturnType<typeof document>) =>
  result.ok ? [] : result.errors;

const at = (path: string): { holder: Record<string, unknown>; key: string; whole: unknown } => {
  const whole = valid();
  const parts = path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const key = parts.pop() ?? '';
  let holder: unknown = whole;
  for (const part of parts) holder = (holder as Record<string, unknown>)[part]; // a path into the document above
  return { holder: holder as Record<string, unknown>, key, whole };
};

describe('A document', () => {
  test('with one task of each kind is valid', () => {
    expect(problemsOf(document(valid()))).toEqual([]);
  });

  test.each(Object.entries(examples))('of the specification is valid: %s', (_name, example) => {
    expect(problemsOf(document(example))).toEqual([]);
  });

  test.each(mutations)('with %s = %j has that one problem', (path, value, says, problemAt = path) => {
    const { holder, key, whole } = at(path);
    if (value === undefined) delete holder[key];
    else Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
    const problems = problemsOf(document(whole));
    expect(problems).toEqual([{ path: problemAt, message: expect.stringMatching(says) }]);
  });
});

describe('Steps', () => {
  test('may be none at all', () => {
    expect(steps([])).toMatchObject({ ok: true, do: [] });
  });

  test.each([[null], ['wait 5s'], [{}], [5]])('must be a list, which %j is not', (value) => {
    expect(problemsOf(steps(value))).toEqual([
      { path: '/steps', message: expect.stringContaining('must be a list') },
    ]);
  });

  test('report all problems, each at its own pointer', () => {
    const result = steps([
      { a: { sett: 1 } },
      { b: { wait: 'soon' } },
      'nothing',
      { c: { set: { x: '${ .a + }' } } },
    ]);
    expect(
      problemsOf(result)
        .map(({ path }) => path)
        .sort(),
    ).toEqual(['/steps/0/a/sett', '/steps/1/b/wait', '/steps/2', '/steps/3/c/set/x']);
  });

  test('report at most a hundred problems and say that there are more', () => {
    const problems = problemsOf(steps(Array.from({ length: 300 }, (_, n) => ({ [`t${n}`]: { sett: 1 } }))));
    expect(problems).toHaveLength(101);
    expect(problems.at(-1)?.message).toBe('and 200 more problems');
  });

  test('may be nested 64 lists deep, not 65', () => {
    const nested = (depth: number): unknown => [
      { a: depth === 1 ? { set: { x: 1 } } : { do: nested(depth - 1) } },
    ];
    expect(steps(nested(64)).ok).toBe(true);
    expect(problemsOf(steps(nested(65)))).toEqual([
      { path: `/steps/0/a${'/do/0/a'.repeat(63)}/do`, message: 'is nested more than 64 lists deep' },
    ]);
  });

  test('may be 1,000 tasks, not 1,001', () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, n) => ({ [`t${n}`]: { set: { x: '${ .a }' } } }));
    expect(steps(many(1000)).ok).toBe(true);
    expect(problemsOf(steps(many(1001)))).toEqual([{ path: '/steps', message: 'has more than 1000 tasks' }]);
  });

  test('may name 256 KiB of what `use` has, counted at each place, not more', () => {
    const naming = (count: number) => ({
      ...valid(),
      use: { errors: { big: { type: 'about:blank', status: 400, detail: 'x'.repeat(9_900) } } },
      timeout: undefined,
      do: Array.from({ length: count }, (_, n) => ({ [`t${n}`]: { raise: { error: 'big' } } })),
    });
    const asDocument = (count: number) => document(JSON.parse(JSON.stringify(naming(count))));
    expect(problemsOf(asDocument(26))).toEqual([]);
    expect(problemsOf(asDocument(27))).toEqual([
      { path: '/do/26/t26/raise/error', message: expect.stringContaining('more than 256 KiB') },
    ]);
  });

  test('may be 256 KiB of JSON, not more', () => {
    expect(problemsOf(steps([{ a: { set: { x: 'é'.repeat(131_072) } } }]))).toEqual([
      { path: '/steps', message: expect.stringContaining('larger than 256 KiB') },
    ]);
    expect(steps([{ a: { set: { x: 'é'.repeat(131_000) } } }]).ok).toBe(true);
  });

  test.each([
    ['a date', new Date(), /object of a class/],
    ['not a number', Number.NaN, /not a JSON number/],
    ['undefined', undefined, /not JSON/],
    ['a function', () => 1, /not JSON/],
  ])('must be plain JSON, which %s is not', (_name, value, says) => {
    const result = validateSteps([{ a: { set: { x: value } } }], { root: '/steps', checkExpressions, verbs });
    expect(problemsOf(result)).toEqual([{ path: '/steps/0/a/set/x', message: expect.stringMatching(says) }]);
  });

  test('that hold themselves are refused', () => {
    const circle: unknown[] = [];
    circle.push(circle, circle);
    const result = validateSteps(circle, { root: '/steps', checkExpressions, verbs });
    expect(problemsOf(result)[0]?.message).toMatch(/nested more than 512 levels/);
  });

  test('with 900 expressions that all fail are refused, a hundred of them by name', () => {
    const many = Array.from({ length: 900 }, (_, n) => ({ [`t${n}`]: { set: { x: `\${ nofn${n} }` } } }));
    expect(problemsOf(steps(many)).length).toBeGreaterThan(90);
  });
});

describe('A step written as a string', () => {
  const mail = { call: 'notify.email' };
  test.each<[string, unknown]>([
    ['wait 5s', { '1-wait': { wait: { seconds: 5 } } }],
    ['wait 1m30s', { '1-wait': { wait: { minutes: 1, seconds: 30 } } }],
    ['wait 250ms', { '1-wait': { wait: { milliseconds: 250 } } }],
    ['wait PT5S', { '1-wait': { wait: 'PT5S' } }],
    [
      "notify.email to=a@example.org subject='two words' text=\"it's\"",
      { '1-notify.email': { ...mail, with: { to: 'a@example.org', subject: 'two words', text: "it's" } } },
    ],
    [
      'notify.email to=["a@example.org"] subject=${ .a + "}" } text="5"',
      { '1-notify.email': { ...mail, with: { to: ['a@example.org'], subject: '${ .a + "}" }', text: '5' } } },
    ],
    [
      'notify.webhook url=https://example.org/hook body={"a":1} method=PUT',
      {
        '1-notify.webhook': {
          call: 'notify.webhook',
          with: { url: 'https://example.org/hook', body: { a: 1 }, method: 'PUT' },
        },
      },
    ],
    [
      'http method=get endpoint=https://example.org/{id}',
      { '1-http': { call: 'http', with: { method: 'get', endpoint: 'https://example.org/{id}' } } },
    ],
  ])('%j means the task it stands for', (step, task) => {
    expect(steps([step])).toMatchObject({ ok: true, do: [task] });
  });

  test.each([
    ['notify.emial', /"notify.emial" is not a verb; nearest: notify.email/],
    ['', /is empty/],
    ['wait', /how long to wait/],
    ['wait soon', /not an ISO 8601 duration/],
    ['notify.email', /`to` is missing/],
    ['notify.email hello', /"hello" is not an argument/],
    ["notify.email to='a", /`to` has no closing '/],
    ['notify.email to=a@b to=c@d', /`to` is given twice/],
    ['notify.email to=a@b subject=5 text=x', /`subject`: must be a string, found 5/],
    ['notify.email to=a@b subject=${ .a | } text=x', /`subject`: is not valid jq/],
    ['notify.email __proto__=1', /is not an argument/],
  ])('%j is refused at its own position', (step, says) => {
    const [first] = problemsOf(steps([{ a: { set: { x: 1 } } }, step]));
    expect(first).toEqual({ path: '/steps/1', message: expect.stringMatching(says) });
  });

  test('may stand between objects and is numbered by its place', () => {
    expect(steps([{ a: { set: { x: 1 } } }, 'wait 1s'])).toMatchObject({ do: [{ a: {} }, { '2-wait': {} }] });
  });
});

describe('Durations', () => {
  test.each<[Parameters<typeof durationMs>[0], number]>([
    ['PT5S', 5_000],
    ['PT1H30M', 5_400_000],
    ['P1DT0.5S', 86_400_500],
    ['P2W', 1_209_600_000],
    [{ days: 1, milliseconds: 5 }, 86_400_005],
  ])('%j is %d ms', (value, ms) => {
    expect(durationMs(value)).toBe(ms);
  });
});

describe('Walking a definition', () => {
  const checked = (value: unknown) => {
    const result = document(value);
    if (!result.ok) throw new Error('expected a valid document');
    return result.document;
  };

  test('visits every task, outer before inner, with its pointer', () => {
    const paths: string[] = [];
    walkTasks(checked(valid()), (path) => paths.push(path));
    expect(paths.slice(1, 6)).toEqual([
      '/do/1/each',
      '/do/1/each/do/0/one',
      '/do/2/both',
      '/do/2/both/fork/branches/0/left',
      '/do/2/both/fork/branches/1/right',
    ]);
    expect(paths).toContain('/do/10/a~1b~0c');
    expect(countTasks(checked(valid()))).toBe(paths.length);
  });

  test('tells whether any task runs code, however deep', () => {
    const nested = (task: unknown) => ({ ...valid(), do: [{ a: { do: [{ b: task }] } }] });
    expect(usesCode(checked(nested({ run: { shell: { command: 'true' } } })))).toBe(true);
    expect(usesCode(checked(nested({ set: { run: 1 } })))).toBe(false);
  });
});
