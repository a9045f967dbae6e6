import { DEVICE_LINES, type SourcedLine } from '../domain/myntrix/host-telemetry.ts';

/** What waits while the database is slow or away. */
const WAITING_LINES = 50_000;

/** Lines of a device as one life of a host sent them. */
export interface LinesOfDevice {
  host: string;
  generation: number;
  deviceId: string;
  lines: SourcedLine[];
}

/** Lines that wait to be stored: of each device only as many as are kept, and those that came first go first. */
export function createWaitingLines() {
  const waiting = new Map<string, LinesOfDevice>();
  let count = 0;

  function add(next: LinesOfDevice): void {
    if (next.lines.length === 0) return;
    const key = `${next.deviceId} ${next.host} ${next.generation}`;
    const known = waiting.get(key)?.lines ?? [];
    const lines = [...known, ...next.lines].slice(-DEVICE_LINES);
    waiting.delete(key); // the one that was heard last is the last to go
    waiting.set(key, { ...next, lines });
    count += lines.length - known.length;
    for (const [oldest, { lines: gone }] of waiting) {
      if (count <= WAITING_LINES) break;
      waiting.delete(oldest);
      count -= gone.length;
    }
  }

  return {
    add,
    isEmpty: () => waiting.size === 0,
    take(): LinesOfDevice[] {
      const taken = [...waiting.values()];
      waiting.clear();
      count = 0;
      return taken;
    },
    /** They could not be stored: what came meanwhile is newer. */
    putBack(taken: readonly LinesOfDevice[]): void {
      const newer = this.take();
      for (const one of [...taken, ...newer]) add(one);
    },
  };
}
