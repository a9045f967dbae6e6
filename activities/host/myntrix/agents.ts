import type { AgentOrder } from '../../../domain/myntrix/agent-reports.ts';
import type { AgentEnd, Agents } from '../../../drivers/agents/port.ts';
import { beating, holding } from '../held.ts';

/** What Temporal asks of a host's agents. None of them is the agent's life: to cancel one is to look away. */
export const createAgentHostActivities = (agents: Agents) => ({
  superviseAgent: (order: AgentOrder): Promise<AgentEnd> =>
    holding(agents, order.id, (signal) => agents.supervise(order, signal)),
  stopAgent: (order: { id: string; epoch: number }): Promise<void> => beating(() => agents.stop(order)),
  forgetAgent: (id: string): Promise<void> => beating(() => agents.forget(id)),
});

export type AgentHostActivities = ReturnType<typeof createAgentHostActivities>;
