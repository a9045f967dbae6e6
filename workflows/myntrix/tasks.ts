import {
  CancellationScope,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  sleep,
} from '@temporalio/workflow';
import type { TaskActivities } from '../../activities/platform/myntrix/tasks.ts';
import { OUTBOUND_QUEUE } from '../../domain/names.ts';

/**
 * Cheap and idempotent, tried until the database is back. Local ones: of a tick they are most of what it costs. Whoever
 * waits for long waits for a timer, and keeps no other workflow from its turn.
 */
const { beginTask, endTaskAttempt, endTask } = proxyLocalActivities<TaskActivities>({
  startToCloseTimeout: '20 seconds',
  localRetryThreshold: '1 second',
  retry: { initialInterval: 100, maximumInterval: '5 seconds' },
});

/** As `notify.webhook` of a step. */
const { notifyTaskByWebhook } = proxyActivities<TaskActivities>({
  taskQueue: OUTBOUND_QUEUE,
  startToCloseTimeout: '40 seconds',
  heartbeatTimeout: '5 seconds',
  retry: { maximumAttempts: 8, initialInterval: '1 second', maximumInterval: '1 minute' },
});

/** Tells one webhook of one tick. */
export const notifyOfTask = (tickId: string): Promise<void> => notifyTaskByWebhook(tickId);

/**
 * Begins an attempt of a tick. One that is a run says itself how it ends, and what is to be done then; the end of an
 * order to an agent is looked for here, and its next attempt begins here as well.
 */
export async function taskRun(tickId: string, from = 1, delayMs = 0): Promise<void> {
  const next = { attempt: from, delayMs };
  try {
    for (;;) {
      if (next.delayMs > 0) await sleep(next.delayMs);
      const { attempt } = next;
      const begun = await CancellationScope.nonCancellable(() => beginTask(tickId, attempt));
      if (!begun) return;
      const { retry } = await ended(tickId, attempt, begun);
      if (!retry) return;
      Object.assign(next, retry);
    }
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(() => endTask(tickId, 'cancelled', 'It was cancelled.'));
  }
}

const FIRST_LOOK_MS = 200;
const LONGEST_LOOK_MS = 5_000;

/** Looks for the end of an order to an agent until its time is up. */
async function ended(
  tickId: string,
  attempt: number,
  { jobId, timeoutMs }: { jobId: string; timeoutMs: number },
): Promise<NonNullable<Awaited<ReturnType<TaskActivities['endTaskAttempt']>>>> {
  const endsAt = Date.now() + timeoutMs;
  for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_LOOK_MS)) {
    const leftMs = endsAt - Date.now();
    await sleep(Math.max(1, Math.min(pauseMs, leftMs)));
    const found = await endTaskAttempt(tickId, { attempt, jobId, isTimeUp: Date.now() >= endsAt });
    if (found) return found;
  }
}
