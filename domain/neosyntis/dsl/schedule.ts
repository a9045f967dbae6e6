import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { InputProblem } from '../../errors.ts';
import { pointer } from '../../pointer.ts';
import { SHORTEST_MS, type Timing } from '../../system/schedules.ts';
import { type Json, literals } from '../../wire.ts';
import { durationMs } from '../duration.ts';
import { PAYLOAD } from '../event-starts.ts';
import { mentioned, unbound } from '../expressions.ts';
import { isObject } from '../json.ts';
import { byteLength } from '../shown.ts';
import { DurationOrText } from './base.ts';
import { collect, type Expression } from './collect.ts';
import { EventStrategy, eventStrategyExpressions, eventStrategyProblems } from './event-strategy.ts';
import type { ExpressionField } from './kind.ts';
import { readings } from './listen.ts';

/** `schedule` of a document (dsl-reference.md, Schedule). */
export const Schedule = Type.Object(
  {
    every: Type.Optional(DurationOrText),
    cron: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    after: Type.Optional(DurationOrText),
    on: Type.Optional(EventStrategy),
    read: Type.Optional(literals(readings)),
  },
  { additionalProperties: false },
);
export type Schedule = Static<typeof Schedule>;

/** What is wrong with cron expressions and names of time zones, which take a library to know; nothing when well. */
export interface CheckTiming {
  cron(cron: string, timezone: string): string | undefined;
  zone(timezone: string): string | undefined;
}

const ways = ['every', 'cron', 'after', 'on'];
const DEFAULT_ZONE = 'UTC';

/** Where a document says the zone of its `cron`: the specification has no place for it. */
const zonePath = ['document', 'metadata', 'timezone'];

/** What is wrong with the `schedule` of a document that nobody has checked, beside its shape. */
export function scheduleProblems(
  document: Record<string, unknown>,
  root: string,
  check: CheckTiming,
): InputProblem[] {
  const problems: InputProblem[] = [];
  const zone = zoneOf(document);
  const isZone = typeof zone === 'string';
  const wrongZone = isZone ? check.zone(zone) : 'must be the name of a time zone, as text';
  if (wrongZone !== undefined) problems.push({ path: pointer(root, ...zonePath), message: wrongZone });
  const { schedule } = document;
  if (!isObject(schedule)) return problems;
  const problem = (message: string, ...path: string[]) =>
    problems.push({ path: pointer(root, 'schedule', ...path), message });
  const given = ways.filter((key) => Object.hasOwn(schedule, key));
  if (Object.hasOwn(schedule, 'read') && !given.includes('on'))
    problem('can only be set beside `on`', 'read');
  else if (given.length !== 1)
    problem(`needs exactly one of ${ways.join(', ')}; it has ${given.join(', ') || 'none'}`);
  problems.push(...onProblems(schedule.on, pointer(root, 'schedule')));
  for (const key of ['every', 'after']) {
    const message = durationProblem(schedule[key], key);
    if (message !== undefined) problem(message, key);
  }
  if (typeof schedule.cron === 'string' && schedule.cron !== '' && isZone && wrongZone === undefined) {
    const message = check.cron(schedule.cron, zone);
    if (message !== undefined) problem(message, 'cron');
  }
  return problems;
}

/** What a schema cannot say of an `on`; one of another shape is spoken of by its schema. */
function onProblems(on: unknown, root: string): InputProblem[] {
  if (!Value.Check(EventStrategy, on)) return [];
  const found = eventStrategyProblems(on, ['on']);
  const bytes = byteLength(on as Json); // a document is JSON
  if (bytes > PAYLOAD.onBytes)
    found.push({ path: ['on'], message: `has ${bytes} bytes of JSON; ${PAYLOAD.onBytes} is the limit` });
  if (on.until !== undefined)
    found.push({
      path: ['on', 'until'],
      message: 'is for `listen`: here each event of `any` begins a run by itself',
    });
  const problems = found.map(({ path, message }) => ({ path: pointer(root, ...path), message }));
  const expressions: Expression[] = [];
  collect(expressions, eventStrategyExpressions(on, ['on']), root, []);
  for (const { path, source, pattern } of expressions) {
    const [name] = pattern ? [] : Object.keys(mentioned(source, unbound));
    if (name !== undefined && name !== 'secrets')
      // of these it is said where they may stand
      problems.push({ path, message: `$${name} has no value here: there is no run before it begins` });
  }
  return problems;
}

/** The expressions of a document's `schedule`. */
export const scheduleExpressions = ({ schedule }: Record<string, unknown>): ExpressionField[] =>
  isObject(schedule) && Value.Check(EventStrategy, schedule.on)
    ? eventStrategyExpressions(schedule.on, ['schedule', 'on'])
    : [];

/** What is wrong with the duration of an `every` or `after`, if it is one and something is. */
export function durationProblem(value: unknown, key: string): string | undefined {
  if (typeof value !== 'string' && !isObject(value)) return undefined; // its shape says so
  const ms = durationMs(value);
  if (typeof ms !== 'number') return ms.problem;
  if (ms < SHORTEST_MS) return `is ${ms} ms; the shortest is a second`;
  return key === 'every' && ms % 1_000 !== 0 ? `is ${ms} ms; it counts in whole seconds` : undefined;
}

function zoneOf(document: Record<string, unknown>): unknown {
  const inner = isObject(document.document) ? document.document : {};
  const metadata = isObject(inner.metadata) ? inner.metadata : {};
  return Object.hasOwn(metadata, 'timezone') ? metadata.timezone : DEFAULT_ZONE;
}

/** When a document that was checked is to run by itself, if it is. */
export function timingOf(document: {
  document: Record<string, unknown>;
  schedule?: Schedule | undefined;
}): Timing | undefined {
  const { every, cron, after, on, read = 'data' } = document.schedule ?? {};
  const ms = (value: NonNullable<typeof every>) => {
    const found = durationMs(value);
    if (typeof found !== 'number') throw new TypeError('a duration that was not checked');
    return found;
  };
  if (every !== undefined) return { kind: 'every', every_ms: ms(every) };
  if (after !== undefined) return { kind: 'after', after_ms: ms(after) };
  if (on !== undefined) return { kind: 'on', on, read };
  if (cron === undefined) return undefined;
  return { kind: 'cron', cron, timezone: String(zoneOf(document)) };
}
