import type { Recurring } from '../../domain/system/schedules.ts';
import { clockOf } from './cron.ts';
import { clockChanges, offsetAt } from './zones.ts';

/** Every offset of a zone, and every change of its clock that is known, is in these years. */
const YEARS_AHEAD = 5;
const DAY_MINUTES = 1_440;

/** What Temporal calls a spec, as far as it is used here. */
export interface TemporalSpec {
  intervals?: { every: number }[];
  calendars?: { minute: number[]; hour: number[] }[];
}

/**
 * The times at which Temporal asks, in UTC. Those of a cron are more than its own: each of its minutes and hours by
 * each offset that its zone has, on every day, and the ends of the hours that its zone leaves out. Which of them are
 * its own is decided when they come (comesAt). Temporal's own reading of a zone is not used: where clocks change it
 * leaves out whole hours and comes at others that nobody named (decisions/038).
 */
export function temporalSpec(timing: Recurring, now: Date = new Date()): TemporalSpec {
  if (timing.kind === 'every') return { intervals: [{ every: timing.every_ms }] };
  const { minutes, hours } = clockOf(timing.cron);
  const { offsets, ends } = zoneOf(timing.timezone, now);
  const inUtc = offsets.flatMap((offset) =>
    hours.flatMap((hour) => minutes.map((minute) => hour * 60 + minute - offset)),
  );
  return { calendars: byMinute([...inUtc, ...ends]) };
}

/** Calendars that have these minutes of a day: one for each set of hours that share theirs. */
function byMinute(times: readonly number[]): { minute: number[]; hour: number[] }[] {
  const minutesOf = new Map<number, Set<number>>();
  for (const time of times) {
    const inDay = ((time % DAY_MINUTES) + DAY_MINUTES) % DAY_MINUTES;
    const hour = Math.floor(inDay / 60);
    minutesOf.set(hour, (minutesOf.get(hour) ?? new Set()).add(inDay % 60));
  }
  const calendars = new Map<string, { minute: number[]; hour: number[] }>();
  for (const [hour, set] of [...minutesOf].sort(([one], [other]) => one - other)) {
    const minute = [...set].sort((one, other) => one - other);
    const calendar = calendars.get(minute.join()) ?? { minute, hour: [] };
    calendar.hour.push(hour);
    calendars.set(minute.join(), calendar);
  }
  return [...calendars.values()];
}

/** The offsets of a zone, and the minutes of a UTC day at which its clock goes forward. */
function zoneOf(timezone: string, now: Date): { offsets: number[]; ends: number[] } {
  const year = now.getUTCFullYear();
  const [from, to] = [Date.UTC(year, 0, 1), Date.UTC(year + YEARS_AHEAD, 0, 1)];
  const changes = clockChanges(timezone, new Date(from), new Date(to));
  const offsets = new Set([offsetAt(timezone, new Date(from)), ...changes.map(({ after }) => after)]);
  const ends = changes
    .filter(({ before, after }) => after > before)
    .map(({ at }) => at.getUTCHours() * 60 + at.getUTCMinutes());
  return { offsets: [...offsets].sort((one, other) => one - other), ends: [...new Set(ends)] };
}
