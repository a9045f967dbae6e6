import { spawn } from 'node:child_process';
import { signalGroup } from './spawn.ts';

export interface RunOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  input?: string;
  signal?: AbortSignal | undefined;
  timeoutMs?: number;
}

export interface RunResult {
  /** Zero is success; a command that could not start or was ended by a signal has -1. */
  code: number;
  output: string;
}

/** Runs a short command to its end in its own process group; never rejects, `output` says what went wrong. */
export function runOnce(file: string, args: string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.env ? { env: options.env } : {}),
      ...(options.cwd ? { cwd: options.cwd } : {}),
    });
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-8_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.stdin.on('error', () => {}); // it ended before it read all: its exit says why
    child.stdin.end(options.input ?? '');
    const end = () => {
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    };
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(end, options.timeoutMs);
    options.signal?.addEventListener('abort', end, { once: true });
    const done = (result: RunResult) => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', end);
      resolve(result);
    };
    child.once('error', (error) => done({ code: -1, output: error.message }));
    child.once('close', (code, signal) =>
      done({ code: code ?? -1, output: signal ? `${output}\nended by ${signal}` : output }),
    );
  });
}
