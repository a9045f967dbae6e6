import { type Client, WithStartWorkflowOperation } from '@temporalio/client';
import { type AgentAction, agentWorkflowId, PLATFORM_QUEUE, workflowTypes } from '../../domain/names.ts';

/**
 * Tells an agent's workflow of an order, and makes the workflow where there is none. The update's id is the order's:
 * told twice it is taken once.
 * @param anew for an agent whose workflow somebody ended: the server would answer with what that one said
 */
export async function tellAgent(
  client: Client,
  id: string,
  action: AgentAction,
  epoch: number,
  anew = '',
): Promise<void> {
  await client.workflow.executeUpdateWithStart(action, {
    updateId: `${id}-${epoch}-${action}${anew}`,
    args: [epoch],
    startWorkflowOperation: new WithStartWorkflowOperation(workflowTypes.agent, {
      workflowId: agentWorkflowId(id),
      taskQueue: PLATFORM_QUEUE,
      args: [{ agentId: id, taken: 0 }],
      workflowIdConflictPolicy: 'USE_EXISTING',
    }),
  });
}
