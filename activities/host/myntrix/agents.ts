import { Context, heartbeat } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { AgentOrder } from '../../../domain/myntrix/agents.ts';
import { type AgentEnd, type Agents, StaleOrder } from '../../../drivers/agents/port.ts';

const HEARTBEAT_MS = 1_000;

/** What Temporal asks of a host's agents. None of them is the agent's life: to cancel one is to look away. */
export function createAgentHostActivities(agents: Agents) {
  const beating = async <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const { cancellationSignal } = Context.current();
    const beat = setInterval(() => heartbeat(), HEARTBEAT_MS);
    try {
      return await work(cancellationSignal);
    } catch (error) {
      // The next worker of this host asks again at once.
      if (error instanceof CancelledFailure && error.message === 'WORKER_SHUTDOWN')
        throw ApplicationFailure.retryable('the host’s worker ends; its agents go on', 'HostRestart');
      if (error instanceof StaleOrder) throw ApplicationFailure.nonRetryable(error.message, 'StaleOrder');
      throw error;
    } finally {
      clearInterval(beat);
    }
  };
  return {
    superviseAgent: (order: AgentOrder): Promise<AgentEnd> =>
      beating((signal) => agents.supervise(order, signal)),
    stopAgent: (order: { id: string; epoch: number }): Promise<void> => beating(() => agents.stop(order)),
    forgetAgent: (id: string): Promise<void> => beating(() => agents.forget(id)),
  };
}

export type AgentHostActivities = ReturnType<typeof createAgentHostActivities>;
