/** A change of a zone's clock: the offsets from UTC are in minutes. */
export interface ClockChange {
  at: Date;
  before: number;
  after: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Minutes that a zone's clock is ahead of UTC at a time. */
export function offsetAt(timezone: string, at: Date): number {
  let format = formats.get(timezone);
  if (!format) {
    format = new Intl.DateTimeFormat('en', { timeZone: timezone, timeZoneName: 'longOffset' });
    formats.set(timezone, format);
  }
  const name = format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
  const [, sign, hours, minutes] = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(name) ?? [];
  const ahead = Number(hours ?? 0) * 60 + Number(minutes ?? 0);
  return sign === '-' ? -ahead : ahead;
}

/** The changes of a zone's clock between two times, to the minute; two within a day would be one. */
export function clockChanges(timezone: string, from: Date, to: Date): ClockChange[] {
  const changes: ClockChange[] = [];
  let known = offsetAt(timezone, from);
  for (let at = from.getTime(); at < to.getTime(); at += DAY_MS) {
    const end = Math.min(at + DAY_MS, to.getTime());
    const after = offsetAt(timezone, new Date(end));
    if (after === known) continue;
    changes.push({ at: momentOfChange(timezone, at, end, known), before: known, after });
    known = after;
  }
  return changes;
}

function momentOfChange(timezone: string, from: number, to: number, before: number): Date {
  let [low, high] = [Math.floor(from / 60_000), Math.ceil(to / 60_000)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(timezone, new Date(middle * 60_000)) === before) low = middle;
    else high = middle;
  }
  return new Date(high * 60_000);
}

/** `+01:00` of 60. */
export function offsetText(minutes: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  const ahead = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(ahead / 60)}:${two(ahead % 60)}`;
}

/** A time as the clock of a zone shows it: `2027-03-28T03:00:00+02:00`. */
export function localText(timezone: string, at: Date): string {
  const offset = offsetAt(timezone, at);
  return `${new Date(at.getTime() + offset * 60_000).toISOString().slice(0, 19)}${offsetText(offset)}`;
}
