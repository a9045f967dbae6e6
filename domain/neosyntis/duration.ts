const units = {
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1_000,
  milliseconds: 1,
} as const;

export interface DurationObject {
  days?: number;
  hours?: number;
  minutes?: number;
  seconds?: number;
  milliseconds?: number;
}

/** Temporal's timers reach further; nobody means a wait this long. */
const maxMs = 10 * 365 * units.days;
const part = (unit: string) => `(?:(\\d+(?:[.,]\\d+)?)${unit})?`;
const iso = new RegExp(`^P(?!$)${part('W')}${part('D')}(?:T(?=\\d)${part('H')}${part('M')}${part('S')})?$`);
const isoFactors = [7 * units.days, units.days, units.hours, units.minutes, units.seconds];

/** Milliseconds of `PT1H30M` or of `{hours: 1, minutes: 30}`, or what is wrong with it. */
export function durationMs(value: string | DurationObject): number | { problem: string } {
  const ms = typeof value === 'string' ? isoMs(value) : objectMs(value);
  if (typeof ms !== 'number') return ms;
  return ms <= maxMs ? ms : { problem: 'is longer than 3650 days' };
}

function isoMs(text: string): number | { problem: string } {
  const found = text.length <= 100 ? iso.exec(text) : null;
  if (found)
    return Math.round(
      found.slice(1).reduce((sum, number, at) => sum + amount(number) * (isoFactors[at] ?? 0), 0),
    );
  if (/^P[\d.,]+[YM]|^P.*\dY/.test(text))
    return { problem: `"${text.slice(0, 100)}" has years or months, whose length varies: use days` };
  return { problem: `"${text.slice(0, 100)}" is not an ISO 8601 duration such as PT5S, PT1M30S or P1D` };
}

const amount = (text: string | undefined) => Number((text ?? '0').replace(',', '.'));

const objectMs = (value: DurationObject) =>
  Object.entries(units).reduce(
    (sum, [unit, factor]) => sum + (value[unit as keyof DurationObject] ?? 0) * factor,
    0,
  ); // keys of `units` are those of DurationObject

const shortUnits: Record<string, keyof DurationObject> = {
  d: 'days',
  h: 'hours',
  m: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
};

/** `5s`, `1m30s`, `250ms`: the spelling of short steps. */
export function shortDuration(text: string): DurationObject | undefined {
  if (text.length > 100 || !/^(?:\d{1,12}(?:ms|[dhms]))+$/.test(text)) return undefined;
  const duration: DurationObject = {};
  for (const [, number, unit] of text.matchAll(/(\d+)(ms|[dhms])/g)) {
    const key = shortUnits[unit ?? ''];
    if (key === undefined || duration[key] !== undefined) return undefined;
    duration[key] = Number(number);
  }
  return duration;
}
