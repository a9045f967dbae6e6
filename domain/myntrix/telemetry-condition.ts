import type { LiveReading } from './host-telemetry.ts';

export const comparisons = ['>=', '>', '<=', '<', '==', '!='] as const;
export type Comparison = (typeof comparisons)[number];

const holds: Record<Comparison, (value: number, limit: number) => boolean> = {
  '>=': (value, limit) => value >= limit,
  '>': (value, limit) => value > limit,
  '<=': (value, limit) => value <= limit,
  '<': (value, limit) => value < limit,
  '==': (value, limit) => value === limit,
  '!=': (value, limit) => value !== limit,
};

export interface Condition {
  condition: Comparison;
  value: number;
  /** How long it has to hold, by the times of the readings. */
  forMs: number;
  /** Longer without a reading, and it does not hold any more: nobody knows. */
  maxGapMs: number;
}

/** How far a wait is; JSON, so that another worker can go on with it. */
export interface Holding {
  /** The newest reading that was looked at, in microseconds since 1970. */
  atUs: number;
  /** Since when it holds without a gap; null while it does not. */
  sinceUs: number | null;
  readings: number;
  lastValue: number | null;
}

export const holdingFrom = (atUs: number): Holding => ({ atUs, sinceUs: null, readings: 0, lastValue: null });

/** One more reading, later than those before. `isMet` once it has held for long enough. */
export function hold(
  before: Holding,
  { value, atUs }: Pick<LiveReading, 'value' | 'atUs'>,
  { condition, value: limit, forMs, maxGapMs }: Condition,
): { now: Holding; isMet: boolean } {
  const isGap = before.lastValue !== null && atUs - before.atUs > maxGapMs * 1_000;
  const sinceUs = holds[condition](value, limit) ? (isGap ? atUs : (before.sinceUs ?? atUs)) : null;
  return {
    now: { atUs, sinceUs, readings: before.readings + 1, lastValue: value },
    isMet: sinceUs !== null && atUs - sinceUs >= forMs * 1_000,
  };
}
