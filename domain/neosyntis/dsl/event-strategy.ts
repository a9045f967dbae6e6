import { type Static, Type } from 'typebox';
import { attributeNameProblem, attributeProblem } from '../cloud-event.ts';
import { isExpression } from '../expressions.ts';
import { isObject } from '../json.ts';
import { expression } from './base.ts';
import type { ExpressionField, KindProblem, Path } from './kind.ts';

/** An event that somebody waits for (dsl-reference, "Event Filter"). */
const EventFilter = Type.Object(
  {
    with: Type.Record(Type.String(), Type.Unknown(), {
      minProperties: 1,
      examples: [{ type: 'com.example.order.placed' }],
    }),
    correlate: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Object(
          {
            from: expression('Gives the value of an event that tells what it belongs to'),
            expect: Type.Optional(Type.String({ minLength: 1, maxLength: 10_000 })),
          },
          { additionalProperties: false },
        ),
      ),
    ),
  },
  { additionalProperties: false },
);
export type EventFilter = Static<typeof EventFilter>;

const MOST_FILTERS = 100;
const filters = () => Type.Array(EventFilter, { maxItems: MOST_FILTERS });

const choices = {
  one: Type.Optional(EventFilter),
  any: Type.Optional(filters()),
  all: Type.Optional(filters()),
};

const Until = Type.Object(choices, { additionalProperties: false });

/** Which events are consumed: those of `one`, `any` or `all`; `eventStrategyProblems` sees to it that it is one. */
export const EventStrategy = Type.Object(
  { ...choices, until: Type.Optional(Type.Union([expression('Ends it when true'), Until])) },
  { additionalProperties: false },
);
export type EventStrategy = Static<typeof EventStrategy>;
export type UntilStrategy = Static<typeof Until>;

/** Its filters with their places; an `any` without filters has none, and takes every event. */
export function filtersOf(strategy: UntilStrategy): { path: Path; filter: EventFilter }[] {
  if (strategy.one) return [{ path: ['one'], filter: strategy.one }];
  const key = strategy.any ? 'any' : 'all';
  return (strategy[key] ?? []).map((filter, at) => ({ path: [key, at], filter }));
}

/** The strategy itself, and the one that ends it, if there is one. */
const strategiesOf = (strategy: EventStrategy): { path: Path; strategy: UntilStrategy }[] => [
  { path: [], strategy },
  ...(isObject(strategy.until) ? [{ path: ['until'], strategy: strategy.until }] : []),
];

const allFilters = (strategy: EventStrategy) =>
  strategiesOf(strategy).flatMap(({ path, strategy: one }) =>
    filtersOf(one).map((found) => ({ ...found, path: [...path, ...found.path] })),
  );

/** The expressions and regular expressions of a strategy at `path`. */
export function eventStrategyExpressions(strategy: EventStrategy, path: Path): ExpressionField[] {
  const found: ExpressionField[] = [];
  if (typeof strategy.until === 'string')
    found.push({ path: [...path, 'until'], value: strategy.until, bare: true });
  for (const { path: below, filter } of allFilters(strategy)) {
    const at = [...path, ...below];
    for (const [name, value] of Object.entries(filter.with))
      found.push({
        path: [...at, 'with', name],
        value,
        bare: false,
        ...(name !== 'data' && isPattern(value) ? { pattern: true } : {}),
      });
    for (const [name, { from, expect }] of Object.entries(filter.correlate ?? {})) {
      found.push({ path: [...at, 'correlate', name, 'from'], value: from, bare: true });
      found.push({ path: [...at, 'correlate', name, 'expect'], value: expect, bare: false });
    }
  }
  return found;
}

/** What a schema cannot say of a strategy at `path`. */
export function eventStrategyProblems(strategy: EventStrategy, path: Path): KindProblem[] {
  const problems: KindProblem[] = [];
  for (const { path: below, strategy: one } of strategiesOf(strategy)) {
    const found = (['one', 'any', 'all'] as const).filter((key) => one[key] !== undefined);
    const at = [...path, ...below];
    if (found.length !== 1)
      problems.push({
        path: at,
        message: `must have one of \`one\`, \`any\` and \`all\`, found ${found.join(', ') || 'none'}`,
      });
    if (one.all?.length === 0)
      problems.push({ path: [...at, 'all'], message: 'must name at least one event to wait for' });
  }
  if (strategy.until !== undefined && strategy.any === undefined)
    problems.push({ path: [...path, 'until'], message: '`until` stands beside `any` only' });
  for (const { path: below, filter } of allFilters(strategy))
    for (const [name, value] of Object.entries(filter.with)) {
      const message = filterProblem(name, value);
      if (message !== undefined) problems.push({ path: [...path, ...below, 'with', name], message });
    }
  return problems;
}

function filterProblem(name: string, value: unknown): string | undefined {
  if (name === 'data') return undefined;
  const named = attributeNameProblem(name);
  if (named !== undefined) return named;
  if (isExpression(value) || isPattern(value)) return undefined;
  // What can never stand in an event is a mistake.
  return attributeProblem(name, value);
}

/**
 * Whether a text is a regular expression: it has one of the signs that make one. A dot alone makes none, for the types
 * of events are full of dots.
 */
export const isPattern = (value: unknown): value is string =>
  typeof value === 'string' && !isExpression(value) && /[\\^$*+?()[\]{}|]/.test(value);

/** The types of events that a strategy can take; null when any. */
export function typesOf(strategy: EventStrategy): string[] | null {
  const types = new Set<string>();
  for (const { strategy: one } of strategiesOf(strategy)) {
    const found = filtersOf(one);
    if (found.length === 0) return null;
    for (const { filter } of found) {
      const { type } = filter.with;
      if (typeof type !== 'string' || isExpression(type) || isPattern(type)) return null;
      types.add(type);
    }
  }
  return [...types];
}

/** What a strategy asks of the types of events: texts and regular expressions, as they stand there. */
export const typesNamed = (strategy: EventStrategy): string[] =>
  allFilters(strategy).flatMap(({ filter: { with: wanted } }) =>
    typeof wanted.type === 'string' && !isExpression(wanted.type) ? [wanted.type] : [],
  );
