import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';

/** Hand-written Temporal on the same server: a raw client here, a worker in a process of its own. */
export async function startRaw(address: string) {
  const taskQueue = 'raw';
  const worker = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), [address, taskQueue]);
  await once(worker, 'message');
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  let count = 0;
  const options = () => ({ workflowId: `raw-${process.pid}-${++count}`, taskQueue, args: [{ n: 1 }] });
  return {
    worker,
    /** Starts one and waits for its result. */
    run: () => client.workflow.execute('threeActivities', options()),
    /** Starts one. */
    start: () => client.workflow.start('threeActivities', options()),
    /** Waits until no workflow runs, whoever started it. */
    async settled() {
      const running = () => client.workflow.count("ExecutionStatus = 'Running'");
      while ((await running()).count > 0) await setTimeout(200);
    },
    async close() {
      worker.send('stop');
      await once(worker, 'exit');
      await connection.close();
    },
  };
}
