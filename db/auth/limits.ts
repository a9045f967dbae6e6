import { RateLimiterPostgres } from 'rate-limiter-flexible';
import type { Database } from '../orm.ts';

export interface LimitOptions {
  name: string;
  points: number;
  durationSeconds: number;
}

/** A counter with a window in `rate_limits`, shared by all replicas of the API. */
export function createLimiter(
  database: Database,
  { name, points, durationSeconds }: LimitOptions,
): RateLimiterPostgres {
  return new RateLimiterPostgres({
    storeClient: {
      // The pool exists from the first connection on, which is why it is asked for at each use.
      query: async (statement: { text: string; values: unknown[]; name?: string }) =>
        (await database.em.getConnection().getNativeClient()).query(statement),
    },
    storeType: 'client',
    tableName: 'rate_limits',
    tableCreated: true,
    // Old rows are `pruneAuth`'s to delete: a limiter has no timer of its own.
    clearExpiredByTimeout: false,
    keyPrefix: name,
    points,
    duration: durationSeconds,
  });
}
