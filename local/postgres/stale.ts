import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { identify } from '../child/identity.ts';

const GRACE_MS = 5_000;

/**
 * After a kill or a power cut PostgreSQL's pid file names a process that is gone, or one that has nothing to
 * do with it and has got the same number: PostgreSQL would refuse to start. The caller holds the folder's
 * lock, so a server that really still runs here is one that was left behind: it is ended.
 */
export async function clearStalePidFile(folder: string): Promise<void> {
  const file = join(folder, 'postmaster.pid');
  const pid = readPid(file);
  if (pid === undefined || identify(pid) === undefined) return; // PostgreSQL sees by itself that it is gone
  if (!commandOf(pid).includes(folder)) return rmSync(file);
  process.kill(pid, 'SIGINT');
  const deadline = Date.now() + GRACE_MS;
  while (identify(pid) && Date.now() < deadline) await new Promise((next) => setTimeout(next, 50));
  if (identify(pid)) process.kill(pid, 'SIGQUIT');
}

function readPid(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8').split('\n')[0]) || undefined;
  } catch {
    return undefined; // it was shut down cleanly
  }
}

function commandOf(pid: number): string {
  try {
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return ''; // it just ended
  }
}
