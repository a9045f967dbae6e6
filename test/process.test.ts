import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

/** Arguments of Node for a process that runs `start`, a source, by runProcess; it has `log`. */
const program = (start: string): string[] => [
  '--input-type=module',
  '-e',
  `
  const { runProcess } = await import(${JSON.stringify(join(process.cwd(), 'process.ts'))});
  const { createLogger } = await import(${JSON.stringify(join(process.cwd(), 'logs.ts'))});
  const log = createLogger('test', 'info');
  await runProcess(log, ${start});`,
];

/** Runs one to its end. */
const run = (start: string): Promise<{ code: number; output: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, program(start), { timeout: 60_000 }, (error, stdout) => {
      resolve({ code: error ? Number(error.code) : 0, output: stdout });
    });
  });

test('A process whose work ends by itself ends too, as a failure', async () => {
  const { code, output } = await run('async () => ({ ended: Promise.resolve(), close: async () => {} })');
  expect(code).toBe(1);
  expect(output).toContain('the work ended by itself');
});

test('A process whose work breaks ends with why', async () => {
  const { code, output } = await run(
    "async () => ({ ended: Promise.reject(new Error('poll failed')), close: async () => {} })",
  );
  expect(code).toBe(1);
  expect(output).toContain('poll failed');
});

test('One that is told to stop closes what it started, and takes its health file away', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vareon-process-'));
  const file = JSON.stringify(join(folder, 'health'));
  const { code, output } = await run(`async () => {
    const { existsSync } = await import('node:fs');
    let end;
    const busy = setInterval(() => {}, 1000);
    const ended = new Promise((resolve) => { end = resolve; });
    setTimeout(() => { console.log('healthy ' + existsSync(${file})); process.kill(process.pid, 'SIGTERM'); }, 50);
    return { ended, healthFile: ${file}, close: async () => { console.log('closed'); clearInterval(busy); end(); } };
  }`);
  expect([code, output]).toEqual([0, expect.stringMatching(/healthy true[\s\S]*closed/)]);
  expect(existsSync(join(folder, 'health'))).toBe(false);
  rmSync(folder, { recursive: true });
});

test('One whose supervisor is gone, with the reader of its logs, ends though it has lines left to write', async () => {
  const child = spawn(
    process.execPath,
    program(`async () => {
      const busy = setInterval(() => {}, 1000);
      return { close: async () => { log.warn('closing'); clearInterval(busy); } };
    }`),
    { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
  );
  const { stdout } = child;
  if (!stdout) throw new Error('it has no standard output');
  const ended = once(child, 'exit');
  await once(stdout, 'data'); // it is ready
  const closed = once(stdout, 'close');
  stdout.destroy();
  await closed;
  child.disconnect();
  const late = setTimeout(() => child.kill('SIGKILL'), 60_000);
  expect(await ended).toEqual([0, null]);
  clearTimeout(late);
});
