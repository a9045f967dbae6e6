import { LRUCache } from 'lru-cache';
import type { AuditLog } from '../../db/system/audit.ts';
import type { Logger } from '../../logs.ts';
import { addressKey } from '../auth/limits.ts';

/** More than passwords may be tried, which are all written. */
const LINES_A_MINUTE = 120;
const TELL_EVERY_MS = 10_000;
/** Paths can be as long as headers. */
const RESOURCE_LENGTH = 500;

/**
 * The audit log, in which nobody who has no login can fill the database: of one address as many lines about refused
 * requests of nobody are written as a minute has room for. The log of the process counts the others.
 */
export function withRoom(write: AuditLog['write'], log: Pick<Logger, 'warn'>): AuditLog['write'] {
  const lines = new LRUCache<string, { count: number }>({ max: 10_000, ttl: 60_000 });
  let unwritten = 0;
  let toldAt = 0;

  function isTooMany(ip: string): boolean {
    const key = addressKey(ip);
    const seen = lines.get(key);
    if (!seen) lines.set(key, { count: 1 });
    return seen !== undefined && ++seen.count > LINES_A_MINUTE;
  }

  return async (line) => {
    const isRefusal = line.user === undefined && line.outcome !== 'ok';
    if (!isRefusal || !isTooMany(line.ip))
      return write({ ...line, resource: line.resource.slice(0, RESOURCE_LENGTH) });
    unwritten += 1;
    if (performance.now() - toldAt < TELL_EVERY_MS && toldAt !== 0) return;
    log.warn({ unwritten, ip: line.ip }, 'refused requests of nobody are too many for the audit log');
    unwritten = 0;
    toldAt = performance.now();
  };
}
