import {
  byAndBy,
  type ProcEntry,
  procEntry,
  processTable,
  processTableByAndBy,
  procFile,
  sendSignal,
} from '../proc.ts';
import { type Mark, until } from './containment.ts';

/** Whether a process carries a group's mark. */
export function bears(mark: Extract<Mark, { kind: 'group' }>, pid: number): boolean {
  if (mark.locks !== undefined) {
    const line = /^Max file locks +(\d+)/m.exec(procFile(pid, 'limits') ?? '');
    if (line?.[1] === mark.locks) return true;
  }
  return `\0${procFile(pid, 'environ') ?? ''}`.includes(`\0VAREON_STEP=${mark.step}\0`);
}

/** Pids of the processes that are ours, and of all that descend from them. */
export function family(isOurs: (entry: ProcEntry) => boolean): number[] {
  const table = processTable();
  return withDescendants(table, table.filter(isOurs));
}

/** The same, a millisecond at a time. */
export async function familyByAndBy(isOurs: (entry: ProcEntry) => boolean): Promise<number[]> {
  const table = await processTableByAndBy();
  const ours = await byAndBy(table, isOurs);
  return withDescendants(
    table,
    table.filter((_, at) => ours[at]),
  );
}

function withDescendants(table: readonly ProcEntry[], found: readonly ProcEntry[]): number[] {
  const members = new Set(found.map(({ pid }) => pid));
  for (let size = -1; size !== members.size; ) {
    size = members.size;
    for (const { pid, parent } of table) if (members.has(parent)) members.add(pid);
  }
  return [...members];
}

/** Kills what an earlier life of this host started and still runs. @returns whether there was anything. */
export async function killMarked(mark: Mark): Promise<boolean> {
  const find = (): number[] => {
    if (mark.kind === 'group') return family((entry) => bears(mark, entry.pid));
    const first = procEntry(mark.pid);
    return first && first.start === mark.start && first.state !== 'Z' ? [first.pid] : [];
  };
  if (find().length === 0) return false;
  const isGone = await until(() => {
    const found = find();
    for (const pid of found) sendSignal(pid, 'SIGKILL');
    return found.length === 0;
  }, 5_000);
  if (!isGone) throw new Error(`processes of an earlier life do not die: ${find().join(', ')}`);
  return true;
}
