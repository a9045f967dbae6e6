import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface Running {
  name: string;
  pid: number;
  kill(signal: NodeJS.Signals): void;
  ended: Promise<void>;
  /** SIGTERM, and SIGKILL when that does not end it in time. */
  stop(): Promise<void>;
}

export interface StartOptions {
  name: string;
  command: readonly [string, ...string[]];
  env: Record<string, string | undefined>;
  cwd?: string;
  logFile: string;
  /** Whether it can be used now; asked until it can, and for as long as the process lives. */
  isReady(child: ChildProcess): Promise<boolean>;
  withinMs?: number;
}

/** Starts a process and waits until it can be used. @throws with its log's name when it ends or takes too long. */
export async function start(options: StartOptions): Promise<Running> {
  const { name, command, env, cwd, logFile, isReady, withinMs = 150_000 } = options;
  const [file, ...args] = command;
  const child = spawn(file, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const log = createWriteStream(logFile, { flags: 'a', mode: 0o600 });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error))]);
  const running: Running = {
    name,
    pid: child.pid ?? 0,
    kill: (signal) => void child.kill(signal),
    ended,
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(timer);
    },
  };
  const deadline = Date.now() + withinMs;
  while (!(await isReady(child))) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(
        `${name} ended with ${child.exitCode ?? child.signalCode}: ${readFileSync(logFile, 'utf8').slice(-2_000)}`,
      );
    if (Date.now() > deadline) {
      await running.stop();
      throw new Error(`${name} was not ready within ${withinMs} ms; see ${logFile}`);
    }
    await delay(50);
  }
  return running;
}

/** Whether something listens on a port of this machine. */
export const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

/** Our processes say over IPC that they are ready. */
export function saysReady(): StartOptions['isReady'] {
  const heard = new WeakSet<ChildProcess>();
  const listening = new WeakSet<ChildProcess>();
  return async (child) => {
    if (!listening.has(child)) {
      listening.add(child);
      child.on('message', (message: { type?: string }) => {
        if (message.type === 'ready') heard.add(child);
      });
    }
    return heard.has(child);
  };
}
