import { Context } from '@temporalio/activity';

const HEARTBEAT_MS = 150;

/**
 * Work that waits for others: Temporal hears that it goes on, and so learns within seconds when this worker dies.
 * The signal aborts when the run is cancelled or this worker stops.
 */
export async function beating<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  try {
    return await work(context.cancellationSignal);
  } finally {
    clearInterval(beat);
  }
}
