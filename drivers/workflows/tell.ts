import { type Client, WithStartWorkflowOperation } from '@temporalio/client';
import { PLATFORM_QUEUE, type workflowTypes } from '../../domain/names.ts';

/** A numbered order for a thing that has a workflow for as long as there is the thing. */
export interface ToldOrder {
  /** Of the thing. */
  id: string;
  /** The update that says so. */
  action: string;
  epoch: number;
  /** For one whose workflow somebody ended: the server would answer with what that one said. */
  anew?: string;
}

/**
 * Tells a thing's workflow of an order, and makes the workflow where there is none. The update's id is the order's: told
 * twice it is taken once.
 */
export async function tellOrder(
  client: Client,
  { id, action, epoch, anew = '' }: ToldOrder,
  workflow: {
    type: (typeof workflowTypes)[keyof typeof workflowTypes];
    workflowId: string;
    args: [object];
  },
): Promise<void> {
  const { type, workflowId, args } = workflow;
  await client.workflow.executeUpdateWithStart(action, {
    updateId: `${id}-${epoch}-${action}${anew}`,
    args: [epoch],
    startWorkflowOperation: new WithStartWorkflowOperation(type, {
      workflowId,
      taskQueue: PLATFORM_QUEUE,
      args,
      workflowIdConflictPolicy: 'USE_EXISTING',
    }),
  });
}
