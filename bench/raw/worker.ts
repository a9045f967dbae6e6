import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';

/** The peer's worker: a process of its own, with the settings of the platform's worker. */
Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });
const [address = '', taskQueue = ''] = process.argv.slice(2);
const connection = await NativeConnection.connect({ address });
const worker = await Worker.create({
  connection,
  taskQueue,
  workflowsPath: fileURLToPath(new URL('workflow.ts', import.meta.url)),
  activities: { nothing: async (input: unknown) => input },
  reuseV8Context: true,
  maxCachedWorkflows: 1_000,
  maxConcurrentActivityTaskExecutions: 50,
});
process.once('message', () => worker.shutdown());
process.once('disconnect', () => process.exit()); // nobody is left to stop it
const working = worker.run();
process.send?.('ready');
await working;
await connection.close();
process.disconnect?.();
