import { execFileSync } from 'node:child_process';
import { processTableByAndBy } from '../processes/proc.ts';

export interface Usage {
  cpuPercent: number;
  memoryBytes: number;
}

/** Reads what process trees use: one look at /proc for all of them. */
export function createUsageReader() {
  const pageBytes = number('PAGESIZE', 4_096);
  const ticksPerSecond = number('CLK_TCK', 100);
  let before = new Map<number, { ticks: number; at: number }>();

  /** @param pids the first process of each tree. Of one that is gone there is nothing. */
  return async function read(pids: readonly number[]): Promise<Map<number, Usage>> {
    const table = await processTableByAndBy();
    const children = Map.groupBy(table, ({ parent }) => parent);
    const sessions = Map.groupBy(table, ({ session }) => session);
    const known = new Map(table.map((entry) => [entry.pid, entry]));
    const now = performance.now();
    const seen = new Map<number, { ticks: number; at: number }>();
    const found = new Map<number, Usage>();
    for (const pid of pids) {
      const first = known.get(pid);
      if (!first) continue;
      const members = new Set([first, ...(sessions.get(pid) ?? [])]);
      for (const member of members) for (const child of children.get(member.pid) ?? []) members.add(child);
      let ticks = 0;
      let pages = 0;
      for (const member of members) {
        ticks += member.ticks;
        pages += member.pages;
      }
      const last = before.get(pid);
      const seconds = last ? (now - last.at) / 1_000 : 0;
      const used = last ? Math.max(0, ticks - last.ticks) / ticksPerSecond : 0;
      seen.set(pid, { ticks, at: now });
      found.set(pid, {
        cpuPercent: seconds > 0 ? Math.round((used / seconds) * 1_000) / 10 : 0,
        memoryBytes: pages * pageBytes,
      });
    }
    before = seen;
    return found;
  };
}

function number(name: string, otherwise: number): number {
  try {
    return Number(execFileSync('getconf', [name], { encoding: 'utf8', timeout: 5_000 })) || otherwise;
  } catch {
    return otherwise; // a system without getconf
  }
}
