import type { Recurring } from '../../domain/system/schedules.ts';
import { clockOf } from './cron.ts';
import { clockChanges, offsetAt } from './zones.ts';

/** Every offset of a zone, and every change of its clock that is known, is in these years. */
const YEARS_AHEAD = 5;
const DAY_MINUTES = 1_440;

/** What Temporal calls a spec, as far as it is used here. */
export interface TemporalSpec {
  intervals?: { every: number }[];
  calendars?: { second?: number[]; minute: number[]; hour: number[] }[];
  startAt?: Date;
  endAt?: Date;
  /** In ms. */
  jitter?: number;
}

/**
 * The times at which Temporal asks, in UTC. Those of a cron are more than its own: each of its minutes and hours by
 * each offset that its zone has, on every day, and the ends of the hours that its zone leaves out. Which of them are
 * its own is decided when they come (comesAt). Temporal's own reading of a zone is not used: where clocks change it
 * leaves out whole hours and comes at others that nobody named (decisions/038).
 */
export function temporalSpec(timing: Recurring, now: Date = new Date()): TemporalSpec {
  return { ...timesOf(timing, now), ...boundsOf(timing) };
}

function timesOf(timing: Recurring, now: Date): TemporalSpec {
  if (timing.kind === 'every') return { intervals: [{ every: timing.every_ms }] };
  const { seconds, minutes, hours } = clockOf(timing.cron);
  const { offsets, ends } = zoneOf(timing.timezone, now);
  const inUtc = offsets.flatMap((offset) =>
    hours.flatMap((hour) => minutes.map((minute) => hour * 60 + minute - offset)),
  );
  const calendars = byMinute([...inUtc, ...ends]);
  if (seconds.every((second) => second === 0)) return { calendars };
  // What the zone leaves out comes at its end, a whole minute.
  const second = [...new Set(ends.length > 0 ? [0, ...seconds] : seconds)];
  return { calendars: calendars.map((calendar) => ({ second, ...calendar })) };
}

/** Temporal's own end is exclusive, ours is not. */
const boundsOf = ({ starts_at, ends_at, jitter_ms }: Recurring): TemporalSpec => ({
  ...(starts_at === undefined ? {} : { startAt: new Date(starts_at) }),
  ...(ends_at === undefined ? {} : { endAt: new Date(Date.parse(ends_at) + 1_000) }),
  ...(jitter_ms === undefined ? {} : { jitter: jitter_ms }),
});

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
