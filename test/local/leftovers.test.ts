import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { identify } from '../../local/child/identity.ts';
import type { StackEvent } from '../../local/events.ts';
import { endLeftovers } from '../../local/leftovers.ts';
import { createStateFile } from '../../local/state.ts';
import { temporaryFolder } from './tools.ts';

async function startSleeper(): Promise<{ pid: number; identity: string; kill(): void }> {
  const child = spawn('sleep', ['60'], { stdio: 'ignore', detached: true });
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  return { pid, identity: identify(pid) ?? '', kill: () => void child.kill('SIGKILL') };
}

test('what a killed start has left is ended, and said', async () => {
  using folder = temporaryFolder();
  const { pid, identity } = await startSleeper();
  createStateFile(folder.path).started({ part: 'temporal', pid, identity, stopSignal: 'SIGTERM' });
  const events: StackEvent[] = [];
  await endLeftovers(folder.path, (event) => events.push(event));
  expect(identify(pid)).toBeUndefined();
  expect(events).toMatchObject([{ type: 'notice', text: expect.stringContaining('Temporal') }]);
});

test('a process that only has got the same number is left alone', async () => {
  using folder = temporaryFolder();
  const sleeper = await startSleeper();
  const identity = 'an earlier process';
  createStateFile(folder.path).started({ part: 'api', pid: sleeper.pid, identity, stopSignal: 'SIGKILL' });
  await endLeftovers(folder.path, () => {});
  expect(identify(sleeper.pid)).toBe(sleeper.identity);
  sleeper.kill();
});
