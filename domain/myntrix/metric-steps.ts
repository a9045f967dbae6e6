import { AppError } from '../errors.ts';

/** Samples, minutes and hours: seconds of each row, and days that it is kept (hours: as the policy says). */
export const tiers = [
  { step: 0, days: 1 },
  { step: 60, days: 7 },
  { step: 3_600, days: undefined },
] as const;
export type TierStep = (typeof tiers)[number]['step'];

/** Points of one answer. */
export const POINT_LIMIT = 2_000;
const DEFAULT_POINTS = 500;
const niceSteps = [5, 15, 60, 300, 900, 3_600, 21_600, 86_400] as const;
const LONGEST_STEP = 86_400;

const DAY_MS = 86_400_000;

export interface HistoryQuery {
  /** Epoch milliseconds. */
  fromMs: number;
  toMs: number;
  /** Seconds. */
  step?: number;
}

/**
 * Which rows answer a question about the past, and in which steps: as asked, but no finer than what is kept of its
 * beginning, and a whole number of those rows.
 * @throws AppError `invalid` for more points than one answer has
 */
export function planHistory(query: HistoryQuery, nowMs: number) {
  const { fromMs, toMs } = query;
  if (!(fromMs < toMs))
    throw new AppError('invalid', '`from` must be before `to`.', {
      errors: [{ path: '/from', message: 'is not before `to`' }],
    });
  const seconds = (toMs - fromMs) / 1_000;
  const wanted = query.step ?? niceSteps.find((step) => seconds / step <= DEFAULT_POINTS) ?? LONGEST_STEP;
  const ageDays = (nowMs - fromMs) / DAY_MS;
  const kept = tiers.filter(({ days }) => days === undefined || ageDays <= days);
  const source: TierStep = kept.findLast(({ step }) => step <= wanted)?.step ?? kept[0]?.step ?? 3_600;
  const step = source === 0 ? wanted : Math.ceil(wanted / source) * source;
  if (seconds / step > POINT_LIMIT)
    throw new AppError(
      'invalid',
      `That would be ${Math.ceil(seconds / step)} points, and an answer has ${POINT_LIMIT} at most: ask for a step of ${Math.ceil(seconds / POINT_LIMIT)} seconds or more, or for less time.`,
      { errors: [{ path: '/step', message: `gives more than ${POINT_LIMIT} points` }] },
    );
  return { source, step, fromMs: Math.floor(fromMs / (step * 1_000)) * step * 1_000, toMs };
}

/** How many days rows of each step are kept, when hours are kept that long; 0 is for ever, which only hours are. */
export const metricRetention = (hourDays: number): { step: TierStep; days: number }[] =>
  tiers
    .map(({ step, days }) => ({ step, days: Math.min(days ?? Infinity, hourDays || Infinity) }))
    .filter(({ days }) => Number.isFinite(days));
