import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import type { Config } from '../config.ts';
import type { Logger } from '../logs.ts';

/** Sends the SDK's own log lines to ours, once a process and before anything else of the SDK. */
export function installRuntime(log: Logger): void {
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      // A host has activities only; that is how it is meant.
      if (message.startsWith('No workflows registered')) return;
      log[level === 'ERROR' ? 'error' : 'warn']({ sdk: meta }, message);
    }),
    shutdownSignals: [],
  });
}

/** Connects a worker, waiting for the server as long as `withinMs`. */
export async function connectWorker(
  config: Pick<Config, 'TEMPORAL_ADDRESS'>,
  { tls = false, apiKey }: { tls?: boolean; apiKey?: string | null } = {},
  withinMs = 30_000,
): Promise<NativeConnection> {
  const address = config.TEMPORAL_ADDRESS;
  if (!address) throw new Error('TEMPORAL_ADDRESS is not set');
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return await NativeConnection.connect({ address, tls: tls ? {} : null, ...(apiKey ? { apiKey } : {}) });
    } catch (error) {
      if (Date.now() > deadline)
        throw new Error(`Temporal cannot be reached at ${address}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** Whether Temporal answers within a second. */
export async function answers(connection: NativeConnection): Promise<boolean> {
  try {
    await connection.withDeadline(Date.now() + 1_000, () => connection.workflowService.getSystemInfo({}));
    return true;
  } catch {
    return false; // whatever the reason, it is not to be asked now
  }
}
