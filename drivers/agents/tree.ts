import type { Mark } from '../processes/containment/containment.ts';
import { until } from '../processes/containment/containment.ts';
import { bears, family } from '../processes/containment/marks.ts';
import { type ProcEntry, procEntry, sendSignal } from '../processes/proc.ts';
import type { Started } from './files.ts';

/** What one start of an agent leaves in /proc: all processes of it bear this, whatever sessions they made. */
export const markOf = (id: string, { number, locks }: Pick<Started, 'number' | 'locks'>) =>
  ({ kind: 'group', step: stepOf(id, number), locks }) satisfies Mark;

export const stepOf = (id: string, number: number): string => `agent-${id}-${number}`;

/** Whether the process that was started runs, and is not another one with its number. */
export function isAlive({ pid, start }: Started): boolean {
  const entry = pid === undefined ? undefined : procEntry(pid);
  return entry !== undefined && entry.start === start && entry.state !== 'Z' && entry.state !== 'X';
}

const DIES_WITHIN_MS = 5_000;

/** Pids of what is left of a start. */
export function remains(id: string, started: Started): number[] {
  const mark = markOf(id, started);
  const isOurs = (entry: ProcEntry): boolean =>
    (started.pid !== undefined && entry.session === started.pid && entry.start >= (started.start ?? 0)) ||
    bears(mark, entry.pid);
  return family(isOurs);
}

/**
 * Ends a start with all that came of it: the signal to its group, a time to follow it, then SIGKILL for everything
 * that bears its mark. Resolves when nothing is left.
 * @throws Error when something does not die.
 */
export async function endStart(
  id: string,
  started: Started,
  { signal, withinMs }: { signal: NodeJS.Signals; withinMs: number },
): Promise<void> {
  const { pid } = started;
  if (pid !== undefined && isAlive(started)) {
    signalGroup(pid, signal);
    sendSignal(pid, 'SIGCONT'); // one that was stopped takes no signal
    // Reading marks costs; the process itself goes first, as a rule.
    const isGone = await until(() => !isAlive(started), withinMs);
    if (isGone && remains(id, started).length === 0) return;
  }
  await killRemains(id, started);
}

/** @throws Error when something does not die. */
export async function killRemains(id: string, started: Started): Promise<void> {
  const isGone = await until(() => {
    const found = remains(id, started);
    for (const pid of found) sendSignal(pid, 'SIGKILL');
    return found.length === 0;
  }, DIES_WITHIN_MS);
  if (!isGone) throw new Error(`processes of agent ${id} do not die: ${remains(id, started).join(', ')}`);
}

/** Where there is no setsid(1) the group is the launcher's, which does not end by it. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  const group = procEntry(pid)?.group ?? pid;
  if (!sendSignal(-group, signal)) sendSignal(pid, signal);
}
