import { type Part, parts, type Readiness } from '../../domain/system/status.ts';
import type { Logger } from '../../logs.ts';
import { inTime } from '../live/in-time.ts';

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
    const late = new Error(`no answer within ${LIMIT_MS / 1000} s`);
    try {
      await inTime(LIMIT_MS, probe(part), () => late);
      return 'ok';
    } catch (error) {
      if (error === late) return late.message;
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
