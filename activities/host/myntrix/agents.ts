import { Context, heartbeat } from '@temporalio/activity';
import { ActivityNotFoundError, type Client } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { AgentOrder } from '../../../domain/myntrix/agents.ts';
import { type AgentEnd, type Agents, StaleOrder } from '../../../drivers/agents/port.ts';

/** Who holds an agent may be missed late: the next life of the host says so by itself. */
const HOLD_HEARTBEAT_MS = 8_000;
const HEARTBEAT_MS = 1_000;

const HOST_RESTART = 'HostRestart';

/** What Temporal asks of a host's agents. None of them is the agent's life: to cancel one is to look away. */
export function createAgentHostActivities(agents: Agents) {
  const beating = async <T>(
    work: (signal: AbortSignal) => Promise<T>,
    everyMs = HEARTBEAT_MS,
  ): Promise<T> => {
    const { cancellationSignal } = Context.current();
    const beat = setInterval(() => heartbeat(), everyMs);
    try {
      return await work(cancellationSignal);
    } catch (error) {
      // The next worker of this host asks again at once.
      if (error instanceof CancelledFailure && error.message === 'WORKER_SHUTDOWN')
        throw ApplicationFailure.retryable('the host’s worker ends; its agents go on', HOST_RESTART);
      if (error instanceof StaleOrder) throw ApplicationFailure.nonRetryable(error.message, 'StaleOrder');
      throw error;
    } finally {
      clearInterval(beat);
    }
  };
  return {
    superviseAgent: (order: AgentOrder): Promise<AgentEnd> =>
      beating(async (signal) => {
        const { base64TaskToken } = Context.current().info;
        const isOver = agents.supervise(order, signal); // makes its folder
        agents.attempts.save(order.id, base64TaskToken);
        try {
          return await isOver;
        } finally {
          agents.attempts.drop(order.id, base64TaskToken);
        }
      }, HOLD_HEARTBEAT_MS),
    stopAgent: (order: { id: string; epoch: number }): Promise<void> => beating(() => agents.stop(order)),
    forgetAgent: (id: string): Promise<void> => beating(() => agents.forget(id)),
  };
}

/**
 * Gives back what an earlier life of this host held, so that Temporal asks this one at once. To be called by who has the
 * host's name, before it takes anything.
 */
export async function giveBack({ attempts }: Pick<Agents, 'attempts'>, client: Client): Promise<void> {
  const failure = ApplicationFailure.create({
    type: HOST_RESTART,
    message: 'the host’s worker ended; its agents go on',
    nextRetryDelay: 1,
  });
  const giving = attempts.takeAll().map(async (token) => {
    try {
      await client.activity.fail(Buffer.from(token, 'base64'), failure);
    } catch (error) {
      if (!(error instanceof ActivityNotFoundError)) throw error; // it was missed already
    }
  });
  await Promise.all(giving);
}

export type AgentHostActivities = ReturnType<typeof createAgentHostActivities>;
