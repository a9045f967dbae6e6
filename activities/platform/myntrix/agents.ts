import type { Client } from '@temporalio/client';
import { createAgentReports, type WantedAgent } from '../../../db/myntrix/agent-reports.ts';
import type { Database } from '../../../db/orm.ts';
import type { LastEnd } from '../../../domain/myntrix/agent-reports.ts';
import { type AgentAction, agentWorkflowId, workflowTypes } from '../../../domain/names.ts';
import { tellAgent } from '../../../drivers/agents/tell.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';
import { runningExecutions, statusOf } from '../../../drivers/workflows/executions.ts';

/** An order whose word to the workflow was lost is said again after this long. */
const UNTAKEN_AFTER_MS = 3_000;

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

/** Tells workflows of orders that they were never told of, and begins those again that somebody ended. */
export const createAgentReconciler = ({ database, client }: { database: Database; client: Client }) => {
  const store = createAgentReports(database);
  const action: AgentAction = 'start'; // the row says what is wanted; the word only says that something is

  async function beginAgain(): Promise<void> {
    const held = await store.held(UNTAKEN_AFTER_MS);
    if (held.length === 0) return;
    const running = await runningExecutions(client, workflowTypes.agent);
    for (const { id, epoch } of held)
      if (!running.has(agentWorkflowId(id)) && (await statusOf(client, agentWorkflowId(id))) !== 'RUNNING')
        await tellAgent(client, id, action, epoch, `-${Date.now()}`);
  }

  return async (): Promise<void> => {
    await store.freeOfDeletedHosts(UNTAKEN_AFTER_MS);
    for (const { id, epoch } of await store.untaken(UNTAKEN_AFTER_MS))
      await tellAgent(client, id, action, epoch);
    await beginAgain();
  };
};

export type AgentActivities = ReturnType<typeof createAgentActivities>;
