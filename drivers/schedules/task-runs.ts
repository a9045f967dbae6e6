import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { PLATFORM_QUEUE, workflowTypes } from '../../domain/names.ts';

/** Begins a tick of a task. @returns whether it had begun before */
export async function startTaskRun(client: Client, id: string): Promise<boolean> {
  try {
    await client.workflow.start(workflowTypes.taskRun, {
      workflowId: id,
      taskQueue: PLATFORM_QUEUE,
      args: [id],
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
    });
    return false;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return true;
    throw error;
  }
}

/** Asks for the end of a tick; one that never began, or is over, needs none. */
export async function cancelTaskRun(client: Client, id: string): Promise<void> {
  try {
    await client.workflow.getHandle(id).cancel();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

/** Does what a tick that was written asks for. */
export async function followTick(
  client: Client,
  id: string,
  { begins, cancel }: { begins: boolean; cancel: readonly string[] },
): Promise<void> {
  for (const other of cancel) await cancelTaskRun(client, other);
  if (begins) await startTaskRun(client, id);
}
