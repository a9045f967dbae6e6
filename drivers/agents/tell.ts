import type { Client } from '@temporalio/client';
import { type AgentAction, agentWorkflowId, workflowTypes } from '../../domain/names.ts';
import { tellOrder } from '../workflows/tell.ts';

/** Tells an agent's workflow of an order. @param anew as ToldOrder has it */
export const tellAgent = (
  client: Client,
  id: string,
  action: AgentAction,
  epoch: number,
  anew?: string,
): Promise<void> =>
  tellOrder(
    client,
    { id, action, epoch, ...(anew === undefined ? {} : { anew }) },
    { type: workflowTypes.agent, workflowId: agentWorkflowId(id), args: [{ agentId: id, taken: 0 }] },
  );
