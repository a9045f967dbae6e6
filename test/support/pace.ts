import { expect } from '@jest/globals';
import { createClient, until } from './client.ts';

/** A request of several steps is held up that often where one that needs nobody is held up once. */
const STEPS = 10;

export interface Pace {
  /** How long what is promised in this time may take here, in ms: so much longer as this machine is held up. */
  limit(promisedMs: number): number;
  end(): Promise<void>;
}

/**
 * Watches how long an answer takes that needs nothing and nobody: on a quiet machine a few milliseconds, on a busy one
 * as long as everything is held up there.
 */
export function watchPace(apiUrl: string): Pace {
  const api = createClient(apiUrl);
  let slowestMs = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const startedAt = performance.now();
      await api('GET', '/health').catch(() => {});
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  return {
    limit: (promisedMs) => promisedMs + STEPS * slowestMs,
    async end() {
      isOver = true;
      await watching;
    },
  };
}

/** Does what is promised to take no longer than this, and expects that, by the pace of the machine. */
export async function within<T>(promisedMs: number, apiUrl: string, work: () => Promise<T>): Promise<T> {
  const pace = watchPace(apiUrl);
  const startedAt = performance.now();
  try {
    const done = await work();
    const tookMs = performance.now() - startedAt;
    await pace.end();
    expect(tookMs).toBeLessThan(pace.limit(promisedMs));
    return done;
  } finally {
    await pace.end();
  }
}

/** Asks again until `done`, which is promised to be so in this time. */
export const untilWithin = <T>(
  promisedMs: number,
  apiUrl: string,
  ask: () => Promise<T>,
  done: (value: T) => boolean,
): Promise<T> => within(promisedMs, apiUrl, () => until(ask, done, promisedMs + 60_000));
