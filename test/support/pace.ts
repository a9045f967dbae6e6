import { expect } from '@jest/globals';
import { createClient, until } from './client.ts';

/** A request of several steps is held up that often where one that needs nobody is held up once. */
const STEPS = 10;
/** A busy machine may hold up any one step that long: figures are what `bench/` tells, on a machine that has time. */
const HELD_UP_MS = 60_000;

export interface Pace {
  /** How long what is promised in this time may take here, in ms: so much longer as this machine is held up. */
  limit(promisedMs: number): number;
  end(): Promise<void>;
}

type Tell = (tookMs: number) => void;

/** Who watches the pace of a platform now: one asks for all of them, or asking would be what holds it up. */
const watchers = new Map<string, Set<Tell>>();

async function ask(apiUrl: string): Promise<number> {
  const startedAt = performance.now();
  await createClient(apiUrl)('GET', '/health').catch(() => {});
  return performance.now() - startedAt;
}

async function askAgain(apiUrl: string, watching: Set<Tell>): Promise<void> {
  while (watching.size > 0) {
    const tookMs = await ask(apiUrl);
    for (const tell of watching) tell(tookMs);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  watchers.delete(apiUrl);
}

/**
 * Watches how long an answer takes that needs nothing and nobody: on a quiet machine a few milliseconds, on a busy one
 * as long as everything is held up there.
 */
export function watchPace(apiUrl: string): Pace {
  let slowestMs = 0;
  const tell: Tell = (tookMs) => {
    slowestMs = Math.max(slowestMs, tookMs);
  };
  const known = watchers.get(apiUrl);
  const watching = known ?? new Set<Tell>();
  watching.add(tell);
  if (!known) {
    watchers.set(apiUrl, watching);
    void askAgain(apiUrl, watching);
  }
  // However short the watch: what is held up from its beginning on counts.
  const first = ask(apiUrl).then(tell);
  return {
    limit: (promisedMs) => promisedMs + Math.max(HELD_UP_MS, STEPS * slowestMs),
    async end() {
      // What is held up at its end, too.
      await Promise.all([first, watching.delete(tell) ? ask(apiUrl).then(tell) : undefined]);
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
): Promise<T> => within(promisedMs, apiUrl, () => until(ask, done, promisedMs + HELD_UP_MS, 20));
