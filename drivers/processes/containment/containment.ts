import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunAs } from '../run-as.ts';

/** What is to be started. */
export interface Command {
  id: string;
  /** An absolute program and its arguments. */
  argv: readonly [string, ...string[]];
  env: Record<string, string>;
  cwd: string;
  stdio: [number | 'ignore', number | 'ignore', number | 'ignore'];
  user: RunAs | undefined;
  /** Awaited before the command starts: what finds the tree again after a kill -9 of the host. */
  note(mark: Mark): Promise<void>;
}

export type Exit = { code: number; signal: null } | { code: null; signal: NodeJS.Signals };

/** A running command with everything that it starts. */
export interface Tree {
  pid: number;
  /** How the command itself ended; others of the tree may still run. */
  exited: Promise<Exit>;
  /** SIGTERM to all of it. */
  terminate(): void;
  /** Whether anything runs. */
  isAlive(): boolean;
  /** SIGKILL to all of it; resolves when nothing is left. @throws Error when something does not die. */
  kill(): Promise<void>;
}

export interface Containment {
  name: string;
  /** @throws Error when the program cannot be started. */
  start(command: Command): Promise<Tree>;
}

export type Mark =
  /** The first process of a PID namespace: with it the whole namespace ends. */
  | { kind: 'namespace'; pid: number; start: number }
  /** Processes with this limit, or with the step's id in their environment. */
  | { kind: 'group'; step: string; locks: string | undefined };

/** Awaits that a child runs. @throws the spawn's error. */
export async function spawned(child: ChildProcess): Promise<number> {
  if (child.pid === undefined) await once(child, 'spawn'); // rejects with the child's error event
  if (child.pid === undefined) throw new Error('the process has no pid');
  return child.pid;
}

export const exitOf = (child: ChildProcess): Promise<Exit> =>
  new Promise((resolve) => {
    child.once('exit', (code, signal) =>
      resolve(signal === null ? { code: code ?? 0, signal } : { code: null, signal }),
    );
  });

/** Looks every 20 ms until it holds. @returns whether it did in time. */
export async function until(holds: () => boolean, withinMs: number): Promise<boolean> {
  const limit = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() >= limit) return false;
    await delay(20);
  }
  return true;
}

/** SIGTERM, a time to follow it, SIGKILL. Resolves when nothing is left. */
export async function endTree(tree: Tree, graceMs: number): Promise<void> {
  if (tree.isAlive()) {
    tree.terminate();
    await until(() => !tree.isAlive(), graceMs);
  }
  await tree.kill();
}
