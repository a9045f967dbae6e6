import { type DurationObject, durationMs, shortDuration } from '../neosyntis/duration.ts';
import { type Bounds, type Recurring, SHORTEST_MS } from '../system/schedules.ts';

const nicknames: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

const units: Record<string, keyof DurationObject> = {
  second: 'seconds',
  minute: 'minutes',
  hour: 'hours',
  day: 'days',
};

/** What somebody wrote as a task's `schedule`, or why it is none. Whether a cron is well formed is asked elsewhere. */
export function readSchedule(
  text: string,
  timezone: string,
  bounds: Bounds,
): Recurring | { problem: string } {
  const schedule = text.trim();
  const every = /^(?:@every|every)\s+(.+)$/i.exec(schedule)?.[1];
  if (every !== undefined) return everyOf(every.trim(), bounds);
  if (schedule.startsWith('@')) {
    const cron = nicknames[schedule.toLowerCase()];
    if (cron !== undefined) return { kind: 'cron', cron, timezone, ...bounds };
    return {
      problem: `"${schedule.slice(0, 100)}" is none of ${Object.keys(nicknames).join(', ')} and @every, such as @every 10m`,
    };
  }
  const fields = schedule.split(/\s+/);
  if (fields.length < 5 || fields.length > 7)
    return {
      problem: `"${schedule.slice(0, 100)}" has ${fields.length} field(s): a cron has five (minute, hour, day of the month, month, day of the week), six with seconds first, seven with the year last; or write \`every 10m\` or @daily`,
    };
  return { kind: 'cron', cron: withoutQuestionMarks(fields).join(' '), timezone, ...bounds };
}

/** Quartz writes `?` in the one field of both days that says nothing. */
function withoutQuestionMarks(fields: string[]): string[] {
  const month = fields.length === 5 ? 3 : 4;
  return fields.map((field, at) => (field === '?' && (at === month - 1 || at === month + 1) ? '*' : field));
}

function everyOf(text: string, bounds: Bounds): Recurring | { problem: string } {
  const every_ms = lengthOf(text);
  if (typeof every_ms !== 'number') return every_ms;
  if (every_ms < SHORTEST_MS)
    return { problem: `"every ${text}" is ${every_ms} ms; the shortest is a second` };
  if (every_ms % 1_000 !== 0)
    return { problem: `"every ${text}" is ${every_ms} ms; it counts in whole seconds` };
  return { kind: 'every', every_ms, ...bounds };
}

function lengthOf(text: string): number | { problem: string } {
  const [, count, unit] = /^(?:(\d{1,9})\s*)?(second|minute|hour|day)s?$/i.exec(text) ?? [];
  const name = units[unit?.toLowerCase() ?? ''];
  const short = name === undefined ? shortDuration(text.replaceAll(' ', '').toLowerCase()) : undefined;
  if (name !== undefined) return durationMs({ [name]: Number(count ?? 1) });
  if (short !== undefined) return durationMs(short);
  const iso = durationMs(text.toUpperCase());
  return typeof iso === 'number'
    ? iso
    : {
        problem: `"every ${text.slice(0, 100)}" is no length of time such as every 10m, every 1h30m or every 2 days`,
      };
}
