import { AppError } from '../../domain/errors.ts';

/** Of a user, before they have to wait; and what comes back in each second. */
const AT_ONCE_MS = 30_000;
const BACK_MS = 250;
const USERS = 10_000;

/**
 * Checking a definition takes up to seconds of the thread that answers everybody: of that time each user has a share.
 */
export function createCheckTime(now: () => number = () => performance.now()) {
  const used = new Map<string, { ms: number; at: number }>();
  return {
    /** @throws AppError `rate_limited` while the user has used up their share. */
    spend<T>(userId: string, work: () => T): T {
      const startedAt = now();
      const before = used.get(userId) ?? { ms: 0, at: startedAt };
      const ms = Math.max(0, before.ms - ((startedAt - before.at) / 1000) * BACK_MS);
      if (ms > AT_ONCE_MS)
        throw new AppError(
          'rate_limited',
          'Checking your definitions has taken too much time; try again later.',
          {
            retryAfterSeconds: Math.max(1, Math.ceil((ms - AT_ONCE_MS) / BACK_MS)),
          },
        );
      try {
        return work();
      } finally {
        // The one that was put in first goes; users who come again are put in anew.
        used.delete(userId);
        const [oldest] = used.keys();
        if (used.size >= USERS && oldest !== undefined) used.delete(oldest);
        const at = now();
        used.set(userId, { ms: ms + at - startedAt, at });
      }
    },
  };
}
