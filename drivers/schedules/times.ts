import type { Bounds, Recurring, Timing } from '../../domain/system/schedules.ts';
import { comesAt, cronTimes } from './cron.ts';

/** The next nominal times after one, in order; of an `every` they count from 1970, as Temporal's do. */
export function nextTimes(timing: Recurring, after: Date, count: number): Date[] {
  const { starts_at, ends_at } = timing;
  const from = starts_at === undefined ? after : new Date(Math.max(+after, Date.parse(starts_at) - 1));
  const found =
    timing.kind === 'cron'
      ? cronTimes(timing.cron, timing.timezone, from, count)
      : everyTimes(timing.every_ms, from, count);
  return ends_at === undefined ? found : found.filter((time) => +time <= Date.parse(ends_at));
}

function everyTimes(everyMs: number, after: Date, count: number): Date[] {
  const first = (Math.floor(after.getTime() / everyMs) + 1) * everyMs;
  return Array.from({ length: count }, (_, at) => new Date(first + at * everyMs));
}

/**
 * Whether something is to begin at this time. Temporal asks at more times than a cron has (spec.ts), and a tick that is
 * taken late may be one of what was wanted before.
 */
export function isNominal(timing: Timing, at: Date): boolean {
  if (timing.kind !== 'every' && timing.kind !== 'cron') return true;
  if (!isWithin(timing, at)) return false;
  if (timing.kind === 'every') return at.getTime() % timing.every_ms === 0;
  return comesAt(timing.cron, timing.timezone, at);
}

const isWithin = ({ starts_at, ends_at }: Bounds, at: Date): boolean =>
  (starts_at === undefined || +at >= Date.parse(starts_at)) &&
  (ends_at === undefined || +at <= Date.parse(ends_at));
