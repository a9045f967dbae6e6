import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { errorCode } from './error-code.ts';

/** A line of the kernel's process table; `start` is in clock ticks since boot and tells reused pids apart. */
export interface ProcEntry {
  pid: number;
  parent: number;
  group: number;
  start: number;
  state: string;
  session: number;
  /** Processor time that it used, in clock ticks. */
  ticks: number;
  /** Memory that it has resident, in pages. */
  pages: number;
}

/**
 * One process, or nothing when it is gone. Source: proc_pid_stat(5). Read as UTF-8, whatever it is: Node has a way of
 * its own for that, which takes a third of the time where a file's size is not known.
 */
export function procEntry(pid: number): ProcEntry | undefined {
  const line = readOr(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (line === undefined) return undefined;
  // The name stands in parentheses and may hold any byte; what follows the last one is split by spaces.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return {
    pid,
    state: fields[0] ?? '?',
    parent: Number(fields[1]),
    group: Number(fields[2]),
    start: Number(fields[19]),
    session: Number(fields[3]),
    ticks: Number(fields[11]) + Number(fields[12]),
    pages: Number(fields[21]),
  };
}

const pids = (): number[] =>
  (readOr(() => readdirSync('/proc')) ?? []).filter((name) => /^\d+$/.test(name)).map(Number);

const isLiving = (entry: ProcEntry | undefined): entry is ProcEntry =>
  entry !== undefined && entry.state !== 'Z' && entry.state !== 'X';

/** Every process that is not dead. Empty on systems without /proc. */
export const processTable = (): ProcEntry[] => pids().map(procEntry).filter(isLiving);

/** The same of a machine with many, a millisecond at a time: what else there is to do is done in between. */
export const processTableByAndBy = async (): Promise<ProcEntry[]> =>
  (await byAndBy(pids(), procEntry)).filter(isLiving);

const AT_ONCE_MS = 1;

/** What comes of each, a millisecond at a time. */
export async function byAndBy<T, R>(items: readonly T[], make: (item: T) => R): Promise<R[]> {
  const made: R[] = [];
  let since = performance.now();
  for (const item of items) {
    if (performance.now() - since > AT_ONCE_MS) {
      await setImmediate();
      since = performance.now();
    }
    made.push(make(item));
  }
  return made;
}

/** Names a process's PID namespace, as `pid:[4026531836]`. */
export const pidNamespace = (pid: number): string | undefined =>
  readOr(() => readlinkSync(`/proc/${pid}/ns/pid`));

export const procFile = (pid: number, name: string): string | undefined =>
  readOr(() => readFileSync(`/proc/${pid}/${name}`, 'utf8'));

/** Changes with every boot: pids and start times of another boot mean nothing. */
export const bootId = (): string =>
  readOr(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'))?.trim() ?? 'none';

/** A process may end, or belong to somebody else, between being seen and being read: then there is nothing. */
function readOr<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Linux has it, macOS has not. */
export const hasProc = (): boolean => existsSync('/proc/self/stat');

/**
 * Sends a signal, 0 only to ask; a negative pid means a process group.
 * @returns false when there is no such process any more.
 */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ESRCH') return false;
    if (code === 'EPERM') return true; // there, and not ours to signal: who waits for its end will say so
    throw error;
  }
}
