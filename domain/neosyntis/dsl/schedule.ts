import { type Static, Type } from 'typebox';
import type { InputProblem } from '../../errors.ts';
import { pointer } from '../../pointer.ts';
import { SHORTEST_MS, type Timing } from '../../system/schedules.ts';
import { durationMs } from '../duration.ts';
import { isObject } from '../json.ts';
import { DurationOrText } from './base.ts';

/** `schedule` of a document (dsl-reference.md, Schedule). `on` is refused by name before this is asked. */
export const Schedule = Type.Object(
  {
    every: Type.Optional(DurationOrText),
    cron: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    after: Type.Optional(DurationOrText),
  },
  { additionalProperties: false },
);
export type Schedule = Static<typeof Schedule>;

/** What is wrong with cron expressions and names of time zones, which take a library to know; nothing when well. */
export interface CheckTiming {
  cron(cron: string, timezone: string): string | undefined;
  zone(timezone: string): string | undefined;
}

/** Parts that the specification has and we do not. */
const refused = ['on', 'read'];
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
  else if (given.includes('on')) problem('`schedule.on` is not supported yet', 'on');
  else if (given.length !== 1)
    problem(`needs exactly one of ${ways.join(', ')}; it has ${given.join(', ') || 'none'}`);
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

/** A schedule without what `scheduleProblems` speaks of by name. */
export const withoutRefused = (schedule: unknown): unknown =>
  isObject(schedule)
    ? Object.fromEntries(Object.entries(schedule).filter(([key]) => !refused.includes(key)))
    : schedule;

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
  const { every, cron, after } = document.schedule ?? {};
  const ms = (value: NonNullable<typeof every>) => {
    const found = durationMs(value);
    if (typeof found !== 'number') throw new TypeError('a duration that was not checked');
    return found;
  };
  if (every !== undefined) return { kind: 'every', every_ms: ms(every) };
  if (after !== undefined) return { kind: 'after', after_ms: ms(after) };
  if (cron === undefined) return undefined;
  return { kind: 'cron', cron, timezone: String(zoneOf(document)) };
}
