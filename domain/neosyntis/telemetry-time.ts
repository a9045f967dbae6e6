const iso = /^(\d{4})-(\d\d)-(\d\d)[Tt ]([01]\d|2[0-3]):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/;

/** As JavaScript writes times, which most senders do: such a one is read in half of the time. */
const usual = /^\d{4}-\d\d-[0-2]\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

/** Microseconds since 1970 of an RFC 3339 time; digits beyond the microsecond are cut off. NaN for what is none. */
export function microsOf(text: string): number {
  // Only days that every month has but one: JavaScript makes March of the 29th of February.
  if (text.length === 24 && usual.test(text) && !text.startsWith('02-29', 5)) return Date.parse(text) * 1_000;
  const found = iso.exec(text);
  if (!found) return Number.NaN;
  const [, year, month, day = '', hour, minute, second, fraction = '', zone = ''] = found;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone.toUpperCase()}`);
  // JavaScript makes the 2nd of March of the 30th of February.
  if (Number(day) > 28 && Number(day) > daysOf(Number(year), Number(month))) return Number.NaN;
  return ms * 1_000 + (fraction === '' ? 0 : Number(fraction.padEnd(6, '0').slice(0, 6)));
}

const daysOf = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

/** ISO 8601 UTC with milliseconds, or with microseconds where there are some. */
export function timeOf(us: number): string {
  const text = new Date(Math.floor(us / 1_000)).toISOString();
  const rest = us % 1_000;
  return rest === 0 ? text : `${text.slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}
