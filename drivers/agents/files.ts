import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { AgentOrder, LastEnd } from '../../domain/myntrix/agent-reports.ts';
import { errorCode } from '../processes/error-code.ts';
import type { AgentEnd } from './port.ts';

/** A process that was started for an agent. */
export interface Started {
  /** Of the boot: pids and start times of another one mean nothing. */
  boot: string;
  /** Counts the starts of the agent on this host; makes the marks of each its own. */
  number: number;
  locks: string;
  at: number;
  /** Known once it runs; until then the status file may tell. */
  pid?: number;
  /** In clock ticks since boot. */
  start?: number;
  /** It is the client of a container. */
  container?: true;
}

/** What a later life of the host must know of an agent. */
export interface Note {
  order: AgentOrder;
  /** Whether it is to run; a stop is noted before it is done. */
  wanted: 'running' | 'stopped';
  /** Times of the restarts that may still count. */
  restarts: number[];
  /** All since the order. */
  restarted: number;
  seq: number;
  started?: Started;
  lastEnd?: LastEnd;
  /** How it ended under its order; the same order again is answered with it. */
  ended?: AgentEnd;
}

export const paths = (folder: string) => ({
  note: join(folder, 'note.json'),
  output: join(folder, 'output'),
});

/** Of one start: the next one may be made ready while it runs, and has others. */
export const startPaths = (folder: string, number: number) => ({
  fifo: join(folder, `exit-${number % 2}`),
  status: join(folder, `status-${number % 2}`),
});

/** Whole or not at all. */
export function writeNote(folder: string, note: Note): void {
  const { note: file } = paths(folder);
  writeFileSync(`${file}.part`, JSON.stringify(note), { mode: 0o600 });
  renameSync(`${file}.part`, file);
}

/** @returns nothing when there is none, or a power cut took it: then nothing of that boot runs either. */
export function readNote(folder: string): Note | undefined {
  try {
    // Written by writeNote(), in a folder that only the host's user can write to.
    return JSON.parse(readFileSync(paths(folder).note, 'utf8')) as Note;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What the launcher wrote down: how the agent ended, as far as that is known. */
export function readStatus(
  folder: string,
  number: number,
): {
  pid: number | undefined;
  code: number | null;
  signal: string | null;
} {
  const told = readOr(startPaths(folder, number).status);
  const pid = /^pid (\d+)$/m.exec(told)?.[1];
  const status = /^exit (\d+)$/m.exec(told)?.[1];
  return { pid: pid === undefined ? undefined : Number(pid), ...endOf(status) };
}

/** A shell gives 128 and the signal's number for a process that a signal ended. */
function endOf(status: string | undefined): { code: number | null; signal: string | null } {
  if (status === undefined) return { code: null, signal: null };
  const value = Number(status);
  const signal = value > 128 && value <= 128 + 64 ? signalNames.get(value - 128) : undefined;
  return signal === undefined ? { code: value, signal: null } : { code: null, signal };
}

function readOr(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // never started
  }
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));
