// biome-ignore-all lint/suspicious/noThenProperty: the specification's name; nothing awaits these objects.
import fc from 'fast-check';
import type { Json } from '../../domain/wire.ts';
import {
  bare,
  condition,
  expression,
  inBraces,
  input,
  shape,
  template,
  value,
} from './arbitrary-expressions.ts';
import type { AnyTask, List, WorkflowDocument } from './document.ts';

export interface Case {
  document: WorkflowDocument;
  input: Json;
}

/** Where a task stands: what its expressions and directives may name. */
interface Scope {
  depth: number;
  variables: readonly string[];
  /** Inside of a `try`. */
  guarded?: boolean;
  /** Tasks of the same list; none in a branch. */
  names: readonly string[];
}

const NAMES = ['one', 'two', 'three', 'four'];
const standard = (kind: string) => `https://open-workflow-specification.org/dsl/errors/types/${kind}`;

/** There once in so many times. */
const optional = <T>(times: number, arbitrary: fc.Arbitrary<T>) =>
  fc.oneof(
    { withCrossShrink: true },
    { weight: times - 1, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary },
  );

/** Without what is undefined, so that a document is JSON. */
const written = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

const directive = ({ names }: Scope) =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom('continue', 'exit', 'end') },
    { weight: names.length > 0 ? 2 : 0, arbitrary: fc.constantFrom('continue', ...names) },
  );

/** Never over in time, and never waited for. */
const long = fc.constantFrom('PT1H', 'P1DT2H', { hours: 2 }, { days: 1, minutes: 3 });

const common = (scope: Scope) =>
  fc.record({
    if: optional(8, bare(condition(scope.variables))),
    input: optional(6, fc.record({ from: shape(scope.variables) })),
    output: optional(5, fc.record({ as: shape(scope.variables) })),
    export: optional(5, fc.record({ as: shape(scope.variables) })),
    timeout: optional(10, fc.record({ after: long })),
    then: optional(4, directive(scope)),
  });

const set = ({ variables }: Scope) =>
  fc.oneof(template(variables), inBraces(variables)).map((set) => ({ set }));

const wait = fc
  .oneof(
    fc.constantFrom('PT0S', { seconds: 0 }, { milliseconds: 2 }, 'PT0.003S'),
    fc.constantFrom('${ "PT0S" }', '${ .n? }', '${ {milliseconds: 1} }'),
  )
  .map((wait) => ({ wait }));

const raise = ({ variables }: Scope) =>
  fc
    .record({
      type: fc.oneof(
        fc.constantFrom(standard('runtime'), standard('timeout'), 'https://example.org/errors/mine'),
        fc.constantFrom('${ "https://example.org/errors/" + $task.name }'),
      ),
      status: fc.constantFrom(400, 404, 500, 503),
      title: optional(3, fc.constantFrom('A title', '${ $task.name }')),
      detail: optional(3, inBraces(variables)),
      instance: optional(5, fc.constant('/elsewhere')),
    })
    .map((error) => ({ raise: { error } }));

const choice = (scope: Scope) =>
  fc
    .tuple(
      fc.array(fc.record({ when: bare(condition(scope.variables)), then: directive(scope) }), {
        maxLength: 2,
      }),
      optional(2, fc.record({ then: directive(scope) })),
      fc.nat(2),
    )
    .filter(([cases, fallback]) => cases.length > 0 || fallback !== undefined)
    .map(([cases, fallback, at]) => {
      const all: { when?: string; then: string }[] = [...cases];
      if (fallback) all.splice(at, 0, fallback);
      return { switch: all.map((one, index) => ({ [`case${index}`]: one })) };
    });

const loop = (scope: Scope) =>
  fc
    .record({
      each: fc.constantFrom(undefined, 'x'),
      at: fc.constantFrom(undefined, 'at'),
    })
    .chain(({ each, at }) => {
      const variables = [...scope.variables, each ?? 'item', at ?? 'index'];
      return fc.record({
        for: fc.record({
          each: fc.constant(each),
          at: fc.constant(at),
          in: fc.oneof(
            {
              weight: 8,
              arbitrary: fc.constantFrom('[1, 2]', '[.list[]?]', '.list? // [1]', '${ [.] }', '[range(3)]'),
            },
            { weight: 1, arbitrary: bare(expression(scope.variables)) },
            { weight: 1, arbitrary: fc.array(fc.oneof(value, inBraces(scope.variables)), { maxLength: 3 }) },
          ),
        }),
        while: optional(3, bare(condition(variables))),
        do: list({ ...scope, variables }),
      });
    });

/** A branch that has long lost when another one ends. */
const late = (scope: Scope) =>
  fc.record({ do: list(scope).map((rest) => [{ asleep: { wait: { hours: 2 } } }, ...rest]) });

const named = (tasks: readonly object[]) =>
  tasks.map((task, at) => ({ [NAMES[at] ?? `t${at}`]: task as AnyTask })); // composed of its parts here

const fork = (scope: Scope) => {
  const branch = task({ ...scope, depth: scope.depth - 1, names: [] });
  const inside = { ...scope, depth: scope.depth - 1 };
  return fc
    .oneof(
      {
        weight: 3,
        arbitrary: fc.array(branch, { minLength: 1, maxLength: 3 }).map((all) => ({ branches: named(all) })),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(branch, fc.array(late(inside), { maxLength: 2 }), fc.nat(2))
          .map(([quick, others, at]) => {
            const branches: object[] = [...others];
            branches.splice(at, 0, quick);
            return { branches: named(branches), compete: true };
          }),
      },
      // Most of these race, and are left out; those where all but one fail do not.
      {
        weight: 1,
        arbitrary: fc
          .array(branch, { minLength: 1, maxLength: 2 })
          .map((all) => ({ branches: named(all), compete: true })),
      },
    )
    .map((fork) => ({ fork }));
};

const attempt = (scope: Scope) =>
  fc.constantFrom(undefined, 'why').chain((as) => {
    const variables = [...scope.variables, as ?? 'error'];
    const conditions = {
      when: optional(4, bare(condition(variables))),
      exceptWhen: optional(5, bare(condition(variables))),
    };
    return fc.record({
      try: list({ ...scope, guarded: true }),
      catch: fc.record({
        as: fc.constant(as),
        errors: optional(
          4,
          fc.record({
            with: fc.oneof(
              fc.constantFrom('expression', 'runtime', 'mine').map((kind) => ({ type: standard(kind) })),
              fc.constantFrom(400, 500).map((status) => ({ status })),
              fc.constant({ type: 'https://example.org/errors/mine', status: 404 }),
            ),
          }),
        ),
        ...conditions,
        retry: optional(
          3,
          fc.record({
            ...conditions,
            delay: fc.constantFrom(undefined, 'PT0S', { milliseconds: 1 }),
            backoff: fc.constantFrom(undefined, { constant: {} }, { linear: {} }, { exponential: {} }),
            limit: fc.record({
              attempt: fc.record({ count: fc.nat(2), duration: optional(5, long) }),
              duration: optional(5, long),
            }),
          }),
        ),
        do: fc.oneof(
          { weight: 1, arbitrary: fc.constant(undefined) },
          { weight: 2, arbitrary: list({ ...scope, variables }) },
        ),
        then: optional(4, directive(scope)),
      }),
    });
  });

const memo = new Map<string, fc.Arbitrary<object>>();

/** One arbitrary a scope: they are many, and the same again and again. */
function task(scope: Scope): fc.Arbitrary<object> {
  const { depth, guarded = false, variables, names } = scope;
  const key = JSON.stringify([depth, guarded, variables, names]);
  let made = memo.get(key);
  if (!made) {
    const simple: fc.WeightedArbitrary<object>[] = [
      { weight: 10, arbitrary: set(scope) },
      { weight: 1, arbitrary: wait },
      { weight: scope.guarded ? 4 : 1, arbitrary: raise(scope) },
      { weight: 3, arbitrary: choice(scope) },
    ];
    const inner = { ...scope, depth: scope.depth - 1 };
    const nested: fc.WeightedArbitrary<object>[] =
      scope.depth === 0
        ? []
        : [
            { weight: 3, arbitrary: fc.record({ do: list(inner) }) },
            { weight: 5, arbitrary: loop(inner) },
            { weight: 5, arbitrary: fork(scope) },
            { weight: 8, arbitrary: attempt(inner) },
          ];
    made = fc
      .tuple(fc.oneof({ withCrossShrink: true }, ...simple, ...nested), common(scope))
      .map(([own, rest]) => ({ ...rest, ...own }));
    memo.set(key, made);
  }
  return made;
}

/** A list of its own: its tasks lead to each other by name. */
function list(scope: Omit<Scope, 'names'>): fc.Arbitrary<List> {
  return fc.integer({ min: 1, max: 3 }).chain((length) => {
    const one = task({ ...scope, names: NAMES.slice(0, length) });
    return fc.array(one, { minLength: length, maxLength: length }).map(named);
  });
}

/** Documents that a user may save, and inputs for them. */
export const someCase: fc.Arbitrary<Case> = fc
  .record({
    document: fc.record({
      document: fc.constant({ dsl: '1.0.3', namespace: 'reference', name: 'made-up', version: '0.1.0' }),
      input: optional(6, fc.record({ from: shape([]) })),
      do: list({ depth: 3, variables: [] }),
      output: optional(6, fc.record({ as: shape([]) })),
      timeout: optional(10, fc.record({ after: long })),
    }),
    input,
  })
  .map((made) => written(made) as Case); // the keys that are undefined are gone
