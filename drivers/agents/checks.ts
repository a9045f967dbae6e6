import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { type HealthCheck, settledCheck } from '../../domain/myntrix/agent-configuration.ts';
import { sendSignal } from '../processes/proc.ts';
import type { RunAs } from '../processes/run-as.ts';

/** How commands of an agent run: as itself. */
export interface Surroundings {
  env: Record<string, string>;
  cwd: string;
  user: RunAs | undefined;
  /** What runs a command where the agent is. */
  wrap(argv: string[]): string[] | Promise<string[]>;
}

/** Checks an agent that runs, until it is stopped. */
export interface Checking {
  failures(): number;
  stop(): void;
}

/**
 * @param onChange with the failures in a row and why, whenever their number changes
 * @param onUnhealthy once, when there were too many
 */
export function startChecking(
  check: HealthCheck,
  surroundings: Surroundings,
  { onChange, onUnhealthy }: { onChange(): void; onUnhealthy(reason: string): void },
): Checking {
  const { intervalMs, timeoutMs, failureThreshold, startPeriodMs } = settledCheck(check);
  const begun = performance.now();
  let failures = 0;
  let isStopped = false;
  let timer = setTimeout(round, Math.min(intervalMs, Math.max(startPeriodMs, 100)));
  timer.unref();

  async function round(): Promise<void> {
    const problem = await problemOf(check, surroundings, timeoutMs).catch((error: unknown) => String(error));
    if (isStopped) return;
    const before = failures;
    if (problem === undefined) failures = 0;
    else if (performance.now() - begun >= startPeriodMs) failures += 1;
    if (failures >= failureThreshold) {
      isStopped = true;
      return onUnhealthy(`${failures} health checks in a row failed; the last: ${problem}`);
    }
    if (failures !== before) onChange();
    timer = setTimeout(round, intervalMs);
    timer.unref();
  }

  return {
    failures: () => failures,
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

/** @returns what is wrong, or nothing. */
function problemOf(check: HealthCheck, around: Surroundings, timeoutMs: number): Promise<string | undefined> {
  if ('http' in check) return askHttp(check.http.port, check.http.path ?? '/', timeoutMs);
  if ('tcp' in check) return askTcp(check.tcp.port, timeoutMs);
  if ('command' in check) return runCommand(check.command, around, timeoutMs);
  const { path, maxAgeMs = settledCheck(check).intervalMs * 3 } = check.heartbeatFile;
  return lookAt(resolve(around.cwd, path), maxAgeMs);
}

/** An agent listens on its own machine; nothing else is asked. */
async function askHttp(port: number, path: string, timeoutMs: number): Promise<string | undefined> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  }).catch((error: Error) => (error.cause instanceof Error ? error.cause.message : error.message));
  if (typeof answer === 'string') return `GET ${path} on port ${port}: ${answer}`;
  await answer.body?.cancel();
  return answer.status < 400 ? undefined : `GET ${path} on port ${port} answered ${answer.status}`;
}

function askTcp(port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: timeoutMs });
    const end = (problem?: string) => {
      socket.destroy();
      done(problem);
    };
    socket.once('connect', () => end());
    socket.once('timeout', () => end(`port ${port} does not answer within ${timeoutMs} ms`));
    socket.once('error', (error) => end(`port ${port}: ${error.message}`));
  });
}

async function runCommand(command: string[], { env, cwd, user, wrap }: Surroundings, timeoutMs: number) {
  const [program = '', ...args] = await wrap(command);
  return new Promise<string | undefined>((done) => {
    const child = spawn(program, args, {
      env,
      cwd,
      stdio: 'ignore',
      detached: true,
      ...(user ? { uid: user.uid, gid: user.gid } : {}),
    });
    const timer = setTimeout(() => end(`${program} took longer than ${timeoutMs} ms`), timeoutMs);
    const end = (problem?: string) => {
      clearTimeout(timer);
      if (child.pid !== undefined) sendSignal(-child.pid, 'SIGKILL');
      done(problem);
    };
    child.once('error', (error) => end(error.message));
    child.once('exit', (code, signal) =>
      end(code === 0 ? undefined : `${program} ended with ${signal ?? `code ${code}`}`),
    );
  });
}

async function lookAt(path: string, maxAgeMs: number): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return `there is no file ${path}`;
  const age = Date.now() - found.mtimeMs;
  return age <= maxAgeMs ? undefined : `${path} was last written ${Math.round(age)} ms ago`;
}
