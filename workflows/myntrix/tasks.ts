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
  sleep,
} from '@temporalio/workflow';
import type { TaskActivities } from '../../activities/platform/myntrix/tasks.ts';
import type { Attempts } from '../../domain/myntrix/task-actions.ts';
import { OUTBOUND_QUEUE, workflowTypes } from '../../domain/names.ts';
import { runStart } from '../../domain/neosyntis/start.ts';

/** Cheap and idempotent, tried until the database is back. */
const { beginTask, beginTaskAttempt, taskOutcome, endTask } = proxyActivities<TaskActivities>({
  startToCloseTimeout: '20 seconds',
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

type Ended = { isSuccess: boolean; reason?: string };

/** One tick of a task: its attempts one after the other, each a run of its own, until one does it. */
export async function taskRun(id: string): Promise<void> {
  const plan = await beginTask(id);
  if (!plan) return; // it is over, or waits for another one
  try {
    const { isSuccess, reason } = await tried(id, plan);
    await endTask(id, isSuccess ? 'success' : 'failed', reason);
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(() => endTask(id, 'cancelled', 'It was cancelled.'));
  }
}

async function tried(id: string, { attempts, delayMs, factor, timeoutMs }: Attempts): Promise<Ended> {
  for (let attempt = 1; ; attempt++) {
    const begun = await beginTaskAttempt(id, attempt);
    if (begun.kind === 'refused') return { isSuccess: false, reason: begun.reason };
    const ended = await endOf(id, attempt, begun, timeoutMs);
    if (ended.isSuccess || attempt >= attempts) return ended;
    await sleep(Math.min(delayMs * factor ** (attempt - 1), MAX_DELAY_MS));
  }
}

const MAX_DELAY_MS = 86_400_000;
const FIRST_LOOK_MS = 200;
const LONGEST_LOOK_MS = 5_000;

type Begun = Exclude<Awaited<ReturnType<TaskActivities['beginTaskAttempt']>>, { kind: 'refused' }>;

/** Waits for the end of an attempt, and ends it when its time is up. */
async function endOf(id: string, attempt: number, begun: Begun, timeoutMs: number): Promise<Ended> {
  const scope = new CancellationScope({ cancellable: true, timeout: timeoutMs });
  let isTimeUp = false;
  try {
    await scope.run(async () => {
      if (begun.kind === 'run') await finished(begun);
      for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_LOOK_MS)) {
        if (await taskOutcome(id, attempt, begun.id, false)) return;
        await sleep(pauseMs); // somebody else began it, or it is no workflow
      }
    });
  } catch (error) {
    if (!isCancellation(error) && !scope.consideredCancelled) throw error;
    if (begun.kind === 'run') await CancellationScope.nonCancellable(() => cancelled(begun.id));
    if (CancellationScope.current().consideredCancelled) throw error;
    isTimeUp = true;
  }
  const timedOut = { isSuccess: false, reason: 'It took longer than its time limit.' };
  return (await taskOutcome(id, attempt, begun.id, isTimeUp)) ?? timedOut;
}

/** Runs it as a child; however it ends, its row says how. */
async function finished({ id, intent }: Extract<Begun, { kind: 'run' }>): Promise<void> {
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
