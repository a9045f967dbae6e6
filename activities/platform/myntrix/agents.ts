import type { Client } from '@temporalio/client';
import { createAgentReports, type WantedAgent } from '../../../db/myntrix/agent-reports.ts';
import type { Database } from '../../../db/orm.ts';
import type { LastEnd } from '../../../domain/myntrix/agent-reports.ts';
import { type AgentAction, agentWorkflowId, workflowTypes } from '../../../domain/names.ts';
import { tellAgent } from '../../../drivers/agents/tell.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';
import { createOrderReconciler } from './reconcile-orders.ts';

export type AgentOutcome = { kind: 'stopped' } | { kind: 'error'; reason: string; lastEnd?: LastEnd };

/** The database's side of an agent's workflow. All are idempotent. */
export function createAgentActivities({ database, bus }: { database: Database; bus: Bus }) {
  const store = createAgentReports(database);
  const publish = createNews(bus).events;
  return {
    /** What is to be brought about now; null for an agent that is gone. */
    takeAgent: async (id: string): Promise<WantedAgent | null> => (await store.take(id)) ?? null,
    async settleAgent(id: string, epoch: number, end: AgentOutcome): Promise<void> {
      publish(await store.settle(id, epoch, end));
    },
    forgetAgentRow: (id: string): Promise<void> => store.forget(id),
  };
}

export const createAgentReconciler = ({ database, client }: { database: Database; client: Client }) => {
  const action: AgentAction = 'start'; // the row says what is wanted; the word only says that something is
  return createOrderReconciler({
    client,
    store: createAgentReports(database),
    workflowType: workflowTypes.agent,
    workflowId: agentWorkflowId,
    tell: (id, epoch, anew) => tellAgent(client, id, action, epoch, anew),
  });
};

export type AgentActivities = ReturnType<typeof createAgentActivities>;
