import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  proxyLocalActivities,
  sleep,
} from '@temporalio/workflow';
import type { AttemptOf, BegunAttempt, TaskActivities } from '../../activities/platform/myntrix/tasks.ts';
import type { Attempts } from '../../domain/myntrix/task-actions.ts';
import { OUTBOUND_QUEUE, workflowTypes } from '../../domain/names.ts';
import { runStart } from '../../domain/neosyntis/start.ts';

/**
 * Cheap and idempotent, tried until the database is back. Local ones: of a tick they are most of what it costs. Whoever
 * waits for long waits for a timer, and keeps no other workflow from its turn.
 */
const { beginTask, beginTaskAttempt, endTaskAttempt, endTask } = proxyLocalActivities<TaskActivities>({
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

/** One tick of a task: its attempts one after the other, each a run of its own, until one does it. */
export async function taskRun(id: string): Promise<void> {
  try {
    const begun = await CancellationScope.nonCancellable(() => beginTask(id));
    if (begun) await tried(id, begun); // else it is over, or waits for another one
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(() => endTask(id, 'cancelled', 'It was cancelled.'));
  }
}

async function tried(id: string, { plan, first }: { plan: Attempts; first: BegunAttempt }): Promise<void> {
  const { attempts, delayMs, factor, timeoutMs } = plan;
  for (let attempt = 1, begun = first; ; begun = await beginTaskAttempt(id, attempt)) {
    if (begun.kind === 'refused') return endTask(id, 'failed', begun.reason);
    const one = { tickId: id, attempt, id: begun.id, isLast: attempt >= attempts };
    if (await isOver(one, begun, timeoutMs)) return;
    await sleep(Math.min(delayMs * factor ** (attempt - 1), MAX_DELAY_MS));
    attempt += 1;
  }
}

const MAX_DELAY_MS = 86_400_000;
const FIRST_LOOK_MS = 200;
const LONGEST_LOOK_MS = 5_000;

/** Waits for the end of an attempt, and ends it when its time is up. @returns whether the tick has ended with it */
async function isOver(
  one: Omit<AttemptOf, 'isTimeUp'>,
  begun: Exclude<BegunAttempt, { kind: 'refused' }>,
  timeoutMs: number,
): Promise<boolean> {
  const scope = new CancellationScope({ cancellable: true, timeout: timeoutMs });
  const attempt = { ...one, isTimeUp: false };
  try {
    return await scope.run(async () => {
      await (begun.kind === 'run' ? finished(begun) : sleep(FIRST_LOOK_MS));
      for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_LOOK_MS)) {
        const ended = await CancellationScope.nonCancellable(() => endTaskAttempt(attempt));
        if (ended) return ended.isOver;
        await sleep(pauseMs); // somebody else began it, or it is no workflow
      }
    });
  } catch (error) {
    if (!isCancellation(error) && !scope.consideredCancelled) throw error;
    if (begun.kind === 'run') await CancellationScope.nonCancellable(() => cancelled(begun.id));
    if (CancellationScope.current().consideredCancelled) throw error;
    return lateEnd({ ...one, isTimeUp: true });
  }
}

/** What took too long has been cancelled, and ends soon; an order to an agent may never. */
async function lateEnd(one: AttemptOf): Promise<boolean> {
  for (let look = 0; look < LATE_LOOKS; look++) {
    const ended = await endTaskAttempt(one);
    if (ended) return ended.isOver;
    await sleep(FIRST_LOOK_MS * 2 ** look);
  }
  if (one.isLast) await endTask(one.tickId, 'failed', 'It took longer than its time limit.');
  return one.isLast;
}

const LATE_LOOKS = 6;

/** Runs it as a child; however it ends, its row says how. */
async function finished({ id, intent }: Extract<BegunAttempt, { kind: 'run' }>): Promise<void> {
  try {
    await executeChild(workflowTypes.run, {
      ...runStart(id, intent),
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    });
  } catch (error) {
    if (CancellationScope.current().consideredCancelled) throw error;
    const isOver = error instanceof ChildWorkflowFailure;
    if (!isOver && !(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

/** One that the reconciler began is nobody's child. */
async function cancelled(runId: string): Promise<void> {
  try {
    await getExternalWorkflowHandle(runId).cancel();
  } catch {
    // it has ended
  }
}
