import { type Database, openDatabase } from '../db/orm.ts';
import { rows } from '../db/sql.ts';
import { AppError } from '../domain/errors.ts';
import type { Logger } from '../logs.ts';
import { every } from './live/every.ts';
import { inTime } from './live/in-time.ts';

/** Keeps a database that does not answer from keeping requests. */
export interface DatabaseWatch {
  /**
   * Does what needs the database, unless it is away or goes away meanwhile. What was begun is not undone: like
   * every answer that is lost, a repeat with the same Idempotency-Key finds out.
   * @throws AppError `unavailable` within 3 s of the database's last answer; what the work throws.
   */
  during<T>(work: () => Promise<T>): Promise<T>;
  /** Somebody had an answer: it is not away. */
  hasAnswered(): void;
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 500;
/** Together with the pause between two looks it is below the 3 s within which everybody has an answer. */
const ANSWER_WITHIN_MS = 1_800;

/** Looks at the database over a connection of its own: the pool's may all be busy, which is not the same as away. */
export function watchDatabase(databaseUrl: string, log: Logger): DatabaseWatch {
  const waiting = new Set<(error: AppError) => void>();
  let database: Database | undefined;
  let up = true;

  async function look(): Promise<void> {
    const looked = database ?? (await openDatabase({ databaseUrl, poolSize: 1, log }));
    database = looked;
    try {
      await inTime(ANSWER_WITHIN_MS, rows(looked.em, 'select 1'), noAnswer);
    } catch (error) {
      database = undefined;
      // A connection that hangs may do so for ever: the next look has a new one.
      looked.close().catch(() => {});
      throw error;
    }
    hasAnswered();
  }

  function hasAnswered(): void {
    if (!up) log.info('the database is back');
    up = true;
  }

  function away(error: unknown): void {
    if (up) log.warn({ err: error }, 'the database does not answer');
    up = false;
    for (const reject of waiting) reject(unavailable());
  }

  const looking = every(LOOK_EVERY_MS, look, away);

  return {
    during<T>(work: () => Promise<T>): Promise<T> {
      if (!up) return Promise.reject(unavailable());
      return new Promise<T>((resolve, reject) => {
        waiting.add(reject);
        work()
          .then(resolve, reject)
          .finally(() => waiting.delete(reject));
      });
    },
    hasAnswered,
    async close() {
      looking.stop();
      await database?.close();
    },
  };
}

const noAnswer = (): Error => new Error(`no answer within ${ANSWER_WITHIN_MS} ms`);

const unavailable = (): AppError =>
  new AppError('unavailable', 'The database cannot be reached; try again.', { retryAfterSeconds: 2 });
