import { LRUCache } from 'lru-cache';
import type { Recurring } from '../../domain/system/schedules.ts';
import { nextTimes } from './times.ts';

/** To find a time takes a cron milliseconds: those that were found count until they are past. */
export function createNextRuns(count: number, keep = 2 * count) {
  const found = new LRUCache<string, Date[]>({ max: 5_000 });
  return (timing: Recurring, now = new Date()): string[] => {
    const key = JSON.stringify(timing);
    let times = found.get(key)?.filter((time) => time > now);
    if (!times || times.length < count) times = nextTimes(timing, now, keep);
    found.set(key, times);
    return times.slice(0, count).map((time) => time.toISOString());
  };
}
