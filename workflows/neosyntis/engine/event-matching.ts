import { RE2JS } from 're2js';
import { Value } from 'typebox/value';
import type { WorkflowEvent } from '../../../domain/neosyntis/cloud-event.ts';
import { type EventFilter, isPattern } from '../../../domain/neosyntis/dsl/event-strategy.ts';
import { type CorrelationKeys, isSameKey } from '../../../domain/neosyntis/event-starts.ts';
import { isExpression } from '../../../domain/neosyntis/expressions.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Evaluator, Variables } from './evaluator.ts';
import { RunExhausted, TaskFailure } from './problem.ts';

/** What filters are evaluated with. */
export interface MatchingContext {
  evaluator: Evaluator;
  /** What `expect` is evaluated on. */
  input: Json;
  /** As they are now: what was exported meanwhile is `$context`. */
  variables(): Variables;
}

/** Holds events against filters; it knows nothing of who waits, so that a schedule can use it, too. */
export function createMatcher({ evaluator, input, variables }: MatchingContext) {
  const patterns = new Map<string, RE2JS>();

  /** What an expression says of an event; one that fails on it says no: the event is of another form. */
  async function quietly<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof TaskFailure && !(error instanceof RunExhausted)) return otherwise;
      throw error;
    }
  }

  /** True and false decide; any other value is the one that it must be. */
  const isWanted = (said: Json, actual: Json): boolean =>
    typeof said === 'boolean' ? said : said !== null && Value.Equal(said, actual);

  function isLike(pattern: string, text: string): boolean {
    let compiled = patterns.get(pattern);
    if (!compiled) {
      compiled = RE2JS.compile(pattern); // checked at save
      patterns.set(pattern, compiled);
    }
    return compiled.matches(text);
  }

  async function hasAttribute(wanted: unknown, actual: Json | undefined): Promise<boolean> {
    if (isExpression(wanted))
      return quietly(
        async () => isWanted(await evaluator.expression(wanted, actual ?? null, variables()), actual ?? null),
        false,
      );
    if (actual === undefined || actual === null) return false;
    if (typeof wanted !== 'string') return wanted === actual;
    return wanted === String(actual) || (isPattern(wanted) && isLike(wanted, String(actual)));
  }

  async function hasData(wanted: unknown, { data, data_base64 }: WorkflowEvent): Promise<boolean> {
    const actual = data ?? data_base64 ?? null;
    if (isExpression(wanted))
      return quietly(
        async () => isWanted(await evaluator.expression(wanted, actual, variables()), actual),
        false,
      );
    return quietly(
      async () => Value.Equal(await evaluator.template(wanted, actual, variables()), actual),
      false,
    );
  }

  async function correlated(
    correlate: NonNullable<EventFilter['correlate']>,
    event: WorkflowEvent,
    keys: CorrelationKeys,
  ): Promise<CorrelationKeys | undefined> {
    const found: CorrelationKeys = { ...keys };
    for (const [name, { from, expect }] of Object.entries(correlate)) {
      const value = await quietly(() => evaluator.expression(from, event, variables()), null);
      if (value === null) return undefined;
      const wanted = expect === undefined ? keys[name] : await evaluator.template(expect, input, variables());
      if (wanted !== undefined && !isSameKey(wanted, value)) return undefined;
      found[name] = value;
    }
    return found;
  }

  return {
    /** @returns the correlation values, with those that this event is the first to have; nothing when it is another. */
    async matches(
      { with: wanted, correlate }: EventFilter,
      event: WorkflowEvent,
      keys: CorrelationKeys,
    ): Promise<CorrelationKeys | undefined> {
      const { data, ...attributes } = wanted;
      for (const [name, value] of Object.entries(attributes))
        if (!(await hasAttribute(value, event[name]))) return undefined;
      if (data !== undefined && !(await hasData(data, event))) return undefined;
      return correlate === undefined ? keys : correlated(correlate, event, keys);
    },
  };
}

export type Matcher = ReturnType<typeof createMatcher>;
