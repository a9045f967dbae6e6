import { Context, heartbeat } from '@temporalio/activity';
import { ActivityNotFoundError, type Client } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { Attempts } from '../../drivers/workflows/attempts.ts';
import { StaleOrder } from '../../drivers/workflows/stale-order.ts';

/** Who holds something may be missed late: the next life of the host says so by itself. */
const HOLD_HEARTBEAT_MS = 8_000;
const HEARTBEAT_MS = 1_000;

const HOST_RESTART = 'HostRestart';

/** What is asked of a host for what it holds. To cancel it is to look away. */
export async function beating<T>(
  work: (signal: AbortSignal) => Promise<T>,
  everyMs = HEARTBEAT_MS,
): Promise<T> {
  const { cancellationSignal } = Context.current();
  const beat = setInterval(() => heartbeat(), everyMs);
  try {
    return await work(cancellationSignal);
  } catch (error) {
    // The next worker of this host asks again at once.
    if (error instanceof CancelledFailure && error.message === 'WORKER_SHUTDOWN')
      throw ApplicationFailure.retryable('the host’s worker ends; what it holds goes on', HOST_RESTART);
    if (error instanceof StaleOrder) throw ApplicationFailure.nonRetryable(error.message, 'StaleOrder');
    throw error;
  } finally {
    clearInterval(beat);
  }
}

/** As long as the host holds it. */
export const holding = <T>(
  { attempts }: { attempts: Attempts },
  id: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> =>
  beating(async (signal) => {
    const { base64TaskToken } = Context.current().info;
    const isOver = work(signal);
    attempts.save(id, base64TaskToken);
    try {
      return await isOver;
    } finally {
      attempts.drop(id, base64TaskToken);
    }
  }, HOLD_HEARTBEAT_MS);

/**
 * Gives back what an earlier life of this host held, so that Temporal asks this one at once. To be called by who has the
 * host's name, before it takes anything.
 */
export async function giveBack({ attempts }: { attempts: Attempts }, client: Client): Promise<void> {
  const failure = ApplicationFailure.create({
    type: HOST_RESTART,
    message: 'the host’s worker ended; what it holds goes on',
    nextRetryDelay: 1,
  });
  const giving = attempts.takeAll().map(async (token) => {
    try {
      await client.activity.fail(Buffer.from(token, 'base64'), failure);
    } catch (error) {
      if (!(error instanceof ActivityNotFoundError)) throw error; // it was missed already
    }
  });
  await Promise.all(giving);
}
