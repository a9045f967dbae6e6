import type { Preview, Recurring } from '../../domain/system/schedules.ts';
import { nextTimes } from './times.ts';
import { type ClockChange, clockChanges, localText, offsetText } from './zones.ts';

/** Clock changes are looked for this far. */
const LOOK_MS = 400 * 86_400_000;

/** When a schedule comes after a time, and what changes of the clock do to it. */
export function preview(timing: Recurring, from: Date, count: number): Preview {
  const timezone = timing.kind === 'cron' ? timing.timezone : 'UTC';
  const times = nextTimes(timing, from, count);
  const last = times.at(-1) ?? from;
  const end = new Date(Math.min(last.getTime(), from.getTime() + LOOK_MS));
  return {
    timezone,
    next: times.map((time) => ({ at: time.toISOString(), local: localText(timezone, time) })),
    clock_changes: clockChanges(timezone, from, end).map((change) => ({
      at: change.at.toISOString(),
      from: offsetText(change.before),
      to: offsetText(change.after),
      message: said(change),
    })),
  };
}

function said({ at, before, after }: ClockChange): string {
  const clock = (offset: number) => new Date(at.getTime() + offset * 60_000).toISOString().slice(11, 16);
  return after > before
    ? `The clock goes from ${clock(before)} to ${clock(after)}: a fixed time between them comes at ${clock(after)}, and no later one is moved.`
    : `The clock goes back from ${clock(before)} to ${clock(after)}: a fixed time between them comes once, the first time; what comes every so many minutes or hours goes on through both.`;
}
