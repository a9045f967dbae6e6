import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PartName } from './events.ts';

export interface RunningPart {
  part: PartName;
  pid: number;
  identity: string;
  stopSignal: NodeJS.Signals;
}

/** What a second `npm start` and the next one after a kill need to know; no secrets. */
export interface StackState {
  pid: number;
  /** Lines of the ready block, by label; empty until the stack is ready. */
  addresses: Record<string, string>;
  parts: RunningPart[];
}

const file = (dataDir: string) => join(dataDir, 'state.json');

export function readState(dataDir: string): StackState | undefined {
  try {
    return JSON.parse(readFileSync(file(dataDir), 'utf8')) as StackState; // written by us, whole, below
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Keeps the state file equal to what runs. */
export function createStateFile(dataDir: string) {
  const state: StackState = { pid: process.pid, addresses: {}, parts: [] };
  function write(): void {
    const temporary = `${file(dataDir)}.new`;
    try {
      writeFileSync(temporary, JSON.stringify(state, null, 2), { mode: 0o600 });
      renameSync(temporary, file(dataDir));
    } catch (error) {
      // With a full disk the platform goes on; only what a kill leaves would then not be known.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  return {
    started(part: RunningPart): void {
      state.parts.push(part);
      write();
    },
    ended(pid: number): void {
      state.parts = state.parts.filter((part) => part.pid !== pid);
      write();
    },
    ready(addresses: Record<string, string>): void {
      state.addresses = addresses;
      write();
    },
    remove: () => rmSync(file(dataDir), { force: true }),
  };
}

export type StateFile = ReturnType<typeof createStateFile>;
