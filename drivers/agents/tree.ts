import { setTimeout as delay } from 'node:timers/promises';
import type { Mark } from '../processes/containment/containment.ts';
import { until } from '../processes/containment/containment.ts';
import { bears, familyByAndBy } from '../processes/containment/marks.ts';
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
const LOOK_MS = 10;

/**
 * Pids of what is left of a start: what bears its mark, and all of its session while its first process is there.
 * Without that one the session's number may be another's by now.
 */
export function remains(id: string, started: Started): Promise<number[]> {
  const mark = markOf(id, started);
  const hasSession = isAlive(started);
  const isOurs = (entry: ProcEntry): boolean =>
    // What was there before it cannot be its; reading marks costs.
    entry.start >= (started.start ?? 0) &&
    ((hasSession && entry.session === started.pid) || bears(mark, entry.pid));
  return familyByAndBy(isOurs);
}

/**
 * Asks a start to end: the signal to its group, and a time to follow it.
 * @returns whether its first process is gone
 */
export async function askToEnd(
  started: Started,
  { signal, withinMs }: { signal: NodeJS.Signals; withinMs: number },
): Promise<boolean> {
  const { pid } = started;
  if (pid === undefined || !isAlive(started)) return true;
  signalGroup(pid, signal);
  sendSignal(pid, 'SIGCONT'); // one that was stopped takes no signal
  return until(() => !isAlive(started), withinMs);
}

/**
 * SIGKILL for everything that bears its mark, until nothing is left.
 * @throws Error when something does not die.
 */
export async function killRemains(id: string, started: Started): Promise<void> {
  const until = performance.now() + DIES_WITHIN_MS;
  let empty = 0;
  for (let looks = 1; ; looks++) {
    const found = await remains(id, started);
    empty = found.length === 0 ? empty + 1 : 0;
    // What was dying may have begun another one behind the look.
    if (empty === 2 || (empty === 1 && looks === 1)) return;
    if (performance.now() > until)
      throw new Error(`processes of agent ${id} do not die: ${found.join(', ')}`);
    for (const pid of found) sendSignal(pid, 'SIGKILL');
    await delay(LOOK_MS);
  }
}

/** Where there is no setsid(1) the group is the launcher's, which does not end by it. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  const group = procEntry(pid)?.group ?? pid;
  if (!sendSignal(-group, signal)) sendSignal(pid, signal);
}
