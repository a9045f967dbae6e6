import { type Part, parts, type Readiness } from '../../domain/system/status.ts';
import type { Logger } from '../../logs.ts';

/** Each resolves when its part answers and rejects when not; it must settle by itself at some time. */
export type Probes = Record<Part, () => Promise<void>>;

const LIMIT_MS = 2_000;
const CACHED_MS = 500;

/**
 * Looks whether what the API needs is there: all parts at once, 2 s each at most, one look at a time, and an
 * answer counts for 500 ms. Reasons say nothing of the inside; the log has the error.
 */
export function createReadiness(probes: Probes, log: Logger): () => Promise<Readiness> {
  const pending = new Map<Part, Promise<void>>();
  let latest: { readiness: Promise<Readiness>; until: number } | undefined;
  let before: Readiness = { database: 'ok', temporal: 'ok', bus: 'ok' };

  /** A probe that still hangs is waited for again rather than started once more. */
  function probe(part: Part): Promise<void> {
    const running = pending.get(part) ?? probes[part]().finally(() => pending.delete(part));
    pending.set(part, running);
    return running;
  }

  async function look(part: Part): Promise<string> {
    try {
      return await within(LIMIT_MS, probe(part));
    } catch (error) {
      if (before[part] === 'ok') log.warn({ err: error, part }, 'not ready');
      return 'cannot be reached';
    }
  }

  async function lookAtAll(): Promise<Readiness> {
    const [database, temporal, bus] = await Promise.all([look('database'), look('temporal'), look('bus')]);
    const readiness = { database, temporal, bus };
    for (const part of parts)
      if (readiness[part] === 'ok' && before[part] !== 'ok') log.info({ part }, 'ready again');
    before = readiness;
    return readiness;
  }

  return () => {
    if (latest && latest.until > performance.now()) return latest.readiness;
    const looking = { readiness: lookAtAll(), until: Number.POSITIVE_INFINITY };
    void looking.readiness.finally(() => {
      looking.until = performance.now() + CACHED_MS;
    });
    latest = looking;
    return looking.readiness;
  };
}

async function within(limitMs: number, probe: Promise<void>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, limitMs, `no answer within ${limitMs / 1000} s`);
  });
  try {
    return await Promise.race([probe.then(() => 'ok'), limit]);
  } finally {
    clearTimeout(timer);
  }
}
