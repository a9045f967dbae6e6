import { type Client, WorkflowNotFoundError } from '@temporalio/client';

const PAGE = 1_000;

/**
 * The executions of a type that go on, by the workflow's id. Visibility lags behind: whoever does something about one
 * that is missing asks about it by itself before.
 */
export async function runningExecutions(client: Client, type: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const query = `WorkflowType = '${type}' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId, runId } of client.workflow.list({ query, pageSize: PAGE }))
    found.set(workflowId, runId);
  return found;
}

/** As Temporal knows it now: `RUNNING`, `COMPLETED`, …; nothing for one that it does not know. */
export async function statusOf(client: Client, workflowId: string): Promise<string | undefined> {
  try {
    return (await client.workflow.getHandle(workflowId).describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
