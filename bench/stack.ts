import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../local/ports.ts';

export interface Started {
  /** The supervisor's. */
  pid: number;
  readyMs: number;
  stop(): Promise<{ stopMs: number }>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const READY_WITHIN_MS = 120_000;

/** Gives a way to run `npm start`, as a user does, in a data folder of its own that is removed in the end. */
export async function withStack(
  measure: (tools: { start(): Promise<Started> }) => Promise<void>,
): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'vareon-bench-'));
  const ports = { VAREON_PORT: String(await freePort()), TEMPORAL_UI_PORT: String(await freePort()) };
  try {
    await measure({ start: () => npmStart({ ...process.env, ...ports, VAREON_DATA_DIR: dataDir }) });
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function npmStart(env: NodeJS.ProcessEnv): Promise<Started> {
  const startedAt = performance.now();
  const npm = spawn('npm', ['start'], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => npm.once('close', () => resolve()));
  let output = '';
  const ready = new Promise<void>((resolve) => {
    npm.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('Ctrl-C stops it')) resolve();
    });
  });
  const late = setTimeout(() => npm.kill('SIGTERM'), READY_WITHIN_MS);
  const failed = ended.then(() =>
    Promise.reject(new Error(`npm start ended before it was ready:\n${output}`)),
  );
  failed.catch(() => {}); // it ends after it was ready, too
  await Promise.race([ready, failed]);
  clearTimeout(late);
  const pid = Number(/\(process (\d+)\)/.exec(output)?.[1]);
  return {
    pid,
    readyMs: performance.now() - startedAt,
    async stop() {
      const stoppingAt = performance.now();
      process.kill(pid, 'SIGTERM');
      await ended;
      return { stopMs: performance.now() - stoppingAt };
    },
  };
}
