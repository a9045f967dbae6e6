import { AppError } from '../errors.ts';
import type { Aggregation, TelemetryQuery } from './telemetry.ts';
import { DAY_US, HOUR_US, MINUTE_US, POINT_LIMIT } from './telemetry-limits.ts';
import { microsOf } from './telemetry-time.ts';

const HOUR_MS = 3_600_000;

const SECOND_US = 1_000_000;
const units: Record<string, number> = { s: SECOND_US, m: MINUTE_US, h: HOUR_US, d: DAY_US };

/** What a question without a bucket is answered in: seconds that people think in. */
const niceBuckets = [1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400, 604_800].map(
  (seconds) => seconds * SECOND_US,
);
const DEFAULT_POINTS = 500;

/** What answers: hours where they are whole, minutes, or readings themselves. */
export type Tier = 'readings' | 'minutes' | 'hours';

export interface AggregatePlan {
  aggregation: Aggregation;
  /** Microseconds since 1970: whole buckets, which begin at multiples of their length. */
  fromUs: number;
  toUs: number;
  bucketUs: number;
  tier: Tier;
}

/**
 * From when to when is asked, in microseconds since 1970; the last hour unless told.
 * @throws AppError `invalid`
 */
export function rangeOf(
  { from, to }: Pick<TelemetryQuery, 'from' | 'to'>,
  nowMs: number,
): { fromUs: number; toUs: number } {
  const toUs = to === undefined ? nowMs * 1_000 : given('to', to);
  const fromUs = from === undefined ? toUs - HOUR_MS * 1_000 : given('from', from);
  if (fromUs < toUs) return { fromUs, toUs };
  throw wrong('from', '`from` must be before `to`.', 'is not before `to`');
}

function given(name: string, text: string): number {
  const us = microsOf(text);
  if (Number.isFinite(us)) return us;
  throw wrong(name, `\`${name}\` is "${text}", which is no time.`, 'is no time');
}

/**
 * How a question with an aggregation is answered.
 * @param lines how many series are answered side by side
 * @throws AppError `invalid` for more points than one answer has, and for buckets that are no whole minutes
 */
export function planAggregate(
  query: Pick<TelemetryQuery, 'bucket'> & { aggregation: Aggregation },
  { fromUs, toUs }: { fromUs: number; toUs: number },
  lines: number,
): AggregatePlan {
  const bucketUs =
    query.bucket === undefined
      ? (niceBuckets.find((us) => (toUs - fromUs) / us <= DEFAULT_POINTS) ?? 7 * DAY_US)
      : bucketOf(query.bucket);
  if (bucketUs > MINUTE_US && bucketUs % MINUTE_US !== 0)
    throw wrong(
      'bucket',
      'A bucket of more than a minute is a whole number of minutes.',
      'is not whole minutes',
    );
  const begin = Math.floor(fromUs / bucketUs) * bucketUs;
  const end = Math.ceil(toUs / bucketUs) * bucketUs;
  const points = ((end - begin) / bucketUs) * lines;
  if (points > POINT_LIMIT) {
    const seconds = Math.ceil(((toUs - fromUs) * lines) / POINT_LIMIT / SECOND_US);
    const least = seconds > 60 ? Math.ceil(seconds / 60) * 60 : seconds;
    throw wrong(
      'bucket',
      `That would be up to ${points} points${lines > 1 ? ` of ${lines} series` : ''}, and an answer has ${POINT_LIMIT} at most: ask for buckets of about ${least} seconds or more, or for less time.`,
      `gives more than ${POINT_LIMIT} points`,
    );
  }
  const tier = bucketUs % HOUR_US === 0 ? 'hours' : bucketUs % MINUTE_US === 0 ? 'minutes' : 'readings';
  return { aggregation: query.aggregation, fromUs: begin, toUs: end, bucketUs, tier };
}

function bucketOf(text: string): number {
  const unit = units[text.at(-1) ?? ''];
  const us = unit ? Number(text.slice(0, -1)) * unit : Number(text) * SECOND_US;
  if (us <= 400 * DAY_US) return us;
  throw wrong('bucket', `A bucket of ${text} is longer than 400 days.`, 'is longer than 400 days');
}

const wrong = (name: string, message: string, problem: string): AppError =>
  new AppError('invalid', message, { errors: [{ path: `/${name}`, message: problem }] });
