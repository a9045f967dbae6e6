import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { PLATFORM_QUEUE, taskRunId, workflowTypes } from '../../domain/names.ts';

/** Of which attempt a tick goes on, and when. */
export interface FromAttempt {
  attempt: number;
  delayMs: number;
}

/** Has a tick begin, or go on with another attempt. Twice is once: what an attempt writes has an id of its own. */
export async function startTaskRun(client: Client, id: string, from?: FromAttempt): Promise<void> {
  try {
    await client.workflow.start(workflowTypes.taskRun, {
      workflowId: taskRunId(id, from?.attempt ?? 1),
      taskQueue: PLATFORM_QUEUE,
      args: from ? [id, from.attempt, from.delayMs] : [id],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error; // it goes on
  }
}

/** Asks for the end of whatever goes on of a tick: the workflow that begins its attempts, and the run of the newest. */
export async function cancelTaskRun(
  client: Client,
  { id, attempt, runId }: { id: string; attempt: number; runId: string | null },
): Promise<void> {
  const own = [attempt, attempt + 1].filter((one) => one > 0).map((one) => taskRunId(id, one));
  for (const workflowId of runId === null ? own : [...own, runId])
    try {
      await client.workflow.getHandle(workflowId).cancel();
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error; // it never began, or is over
    }
}
