import { type ChildProcess, spawn } from 'node:child_process';
import type { LogFile } from './log-file.ts';

export interface Command {
  file: string;
  args: string[];
  env: Record<string, string | undefined>;
  cwd?: string;
  /** Node children talk over IPC. */
  ipc?: boolean;
}

/** What the children say over IPC (process.ts is the other end). */
export type ChildMessage =
  | { type: 'ready'; adminCreated?: boolean }
  | { type: 'failed'; reason: string }
  | { type: 'notice'; text: string };

export interface Child {
  /** Undefined when it could not even be started; `ended` then says why. */
  pid: number | undefined;
  /** How it ended, in words: "exit code 1", "SIGKILL". Never rejects. */
  ended: Promise<string>;
  /** The end of what it has written. */
  tail(): string;
  onMessage(listener: (message: ChildMessage) => void): void;
}

const TAIL_BYTES = 4_000;

/** Starts a child in a process group of its own, so that a Ctrl-C at the terminal reaches the supervisor only. */
export function startChild(command: Command, log: LogFile, onLine: (line: string) => void = () => {}): Child {
  const child = spawn(command.file, command.args, {
    env: command.env,
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', ...(command.ipc ? (['ipc'] as const) : [])],
  });
  let tail = '';
  for (const stream of [child.stdout, child.stderr]) {
    const lines = splitLines(onLine);
    stream?.on('data', (chunk: Buffer) => {
      log.write(chunk);
      tail = (tail + chunk.toString()).slice(-TAIL_BYTES);
      lines(chunk.toString());
    });
  }
  return {
    pid: child.pid,
    ended: ending(child),
    tail: () => tail.slice(tail.length === TAIL_BYTES ? tail.indexOf('\n') + 1 : 0).trimEnd(),
    onMessage: (listener) => {
      child.on('message', (message) => listener(message as ChildMessage)); // process.ts sends nothing else
    },
  };
}

function ending(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(error.message);
    });
    // `close`, not `exit`: the last words have arrived by then. Grandchildren may hold the pipes open.
    child.once('exit', (code, signal) => {
      const how = signal ?? `exit code ${code}`;
      const timer = setTimeout(() => resolve(how), 500);
      child.once('close', () => {
        clearTimeout(timer);
        resolve(how);
      });
    });
  });
}

const LINE_BYTES = 64 * 1024;

function splitLines(onLine: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(-LINE_BYTES);
    for (const line of lines) onLine(line);
  };
}

/** Signals a child's whole process group; one that is gone already is fine. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
