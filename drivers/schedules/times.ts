import type { Recurring, Timing } from '../../domain/system/schedules.ts';
import { comesAt, cronTimes } from './cron.ts';

/** The next nominal times after one, in order; of an `every` they count from 1970, as Temporal's do. */
export function nextTimes(timing: Recurring, after: Date, count: number): Date[] {
  if (timing.kind === 'cron') return cronTimes(timing.cron, timing.timezone, after, count);
  const { every_ms } = timing;
  const first = (Math.floor(after.getTime() / every_ms) + 1) * every_ms;
  return Array.from({ length: count }, (_, at) => new Date(first + at * every_ms));
}

/**
 * Whether something is to begin at this time. Temporal asks at more times than a cron has (spec.ts), and a tick that is
 * taken late may be one of what was wanted before.
 */
export function isNominal(timing: Timing, at: Date): boolean {
  if (timing.kind === 'every') return at.getTime() % timing.every_ms === 0;
  return timing.kind !== 'cron' || comesAt(timing.cron, timing.timezone, at);
}
