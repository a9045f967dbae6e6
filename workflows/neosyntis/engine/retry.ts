import type { RetryPolicy } from '../../../domain/neosyntis/dsl/try.ts';
import { durationMs } from '../../../domain/neosyntis/duration.ts';

/** Exponential delays stop growing here. */
const LONGEST_MS = 24 * 3_600_000;

const ms = (value: RetryPolicy['delay']): number | undefined => {
  const duration = value === undefined ? undefined : durationMs(value);
  return typeof duration === 'number' ? duration : undefined;
};

/** How long one attempt may take. */
export const attemptLimitMs = (policy: RetryPolicy | undefined): number | undefined =>
  ms(policy?.limit?.attempt?.duration);

/**
 * The pause after an attempt that failed, by the policy's `delay`, `backoff` and `jitter`; nothing when its limits
 * allow no further one. `limit.attempt.count` counts the retries, not the first attempt (dsl.md, Fault Tolerance).
 */
export function pauseMs(
  { delay, backoff, limit, jitter }: RetryPolicy,
  { attempt, elapsedMs, random }: { attempt: number; elapsedMs: number; random: number },
): number | undefined {
  if (attempt > (limit?.attempt?.count ?? Number.POSITIVE_INFINITY)) return undefined;
  const [from, to] = [ms(jitter?.from) ?? 0, ms(jitter?.to) ?? 0];
  const factor = backoff?.exponential ? 2 ** (attempt - 1) : backoff?.linear ? attempt : 1;
  const pause = Math.min((ms(delay) ?? 0) * factor, LONGEST_MS) + from + Math.max(0, to - from) * random;
  const most = ms(limit?.duration);
  return most !== undefined && elapsedMs + pause > most ? undefined : Math.round(pause);
}
