import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, test } from '@jest/globals';

const path = (url: string) => fileURLToPath(new URL(url, import.meta.url));
const stopped = 'ERR_SCRIPT_EXECUTION_TIMEOUT';

test('In a thread that runs workflows only calls that run their code have a time limit, and promises no hooks', async () => {
  const execArgv = ['--import', path('../../workers/workflow-threads.ts')];
  const worker = new Worker(path('./sandbox-thread.ts'), { execArgv });
  const [said] = await once(worker, 'message');
  await worker.terminate();
  expect(said).toEqual({
    activate: stopped,
    another: stopped,
    conditions: stopped,
    noConditions: 'ended',
    concludeActivation: 'ended',
    promises: 0,
  });
});
