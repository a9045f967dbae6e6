import type { AgentRepository } from '../../db/myntrix/agents.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type { AgentAction } from '../../domain/names.ts';
import { tellAgent } from '../../drivers/agents/tell.ts';
import type { Logger } from '../../logs.ts';
import type { RunEnds } from '../live/run-ends.ts';
import type { Temporal } from '../temporal/client.ts';

export interface AgentOrderDeps {
  agents: AgentRepository;
  temporal: Temporal;
  ends: RunEnds;
  publish(events: readonly StoredEvent[]): void;
  log: Logger;
}

/** Starts, stops, restarts and deletes agents: the row first, then the word to its workflow. */
export function createAgentOrders({ agents, temporal, ends, publish, log }: AgentOrderDeps) {
  /** A word that is lost is said again by the reconciler. */
  async function tell(id: string, action: AgentAction, epoch: number): Promise<void> {
    try {
      await temporal.call((client) => tellAgent(client, id, action, epoch));
    } catch (error) {
      log.warn(
        { err: error, agentId: id },
        'an agent’s workflow did not take the word; the reconciler says it again',
      );
    }
  }

  /** @throws AppError `forbidden` */
  async function requireCode(user: Principal, host: string): Promise<void> {
    if (user.permissions.has('neosyntis:workflows:execute_code') && (await agents.mayRunOn(user, host)))
      return;
    throw new AppError(
      'forbidden',
      `An agent is code that runs on host "${host}", which you may not; an administrator can grant it.`,
    );
  }

  return {
    requireCode,

    /** @throws AppError `unavailable` with nothing written while Temporal is away */
    async give(user: Principal, id: string, action: AgentAction): Promise<string> {
      const { host } = await agents.get(id);
      if (action !== 'stop') await requireCode(user, host);
      await temporal.ensureUp();
      const { jobId, epoch, isDone, events } = await agents.order(user, id, action);
      publish(events);
      if (!isDone) await tell(id, action, epoch);
      return jobId;
    },

    async remove(id: string): Promise<void> {
      await temporal.ensureUp();
      const { epoch, events } = await agents.remove(id);
      publish(events);
      await tell(id, 'stop', epoch);
    },

    /** Until a job has ended, for so long at most. */
    async untilEnded(jobId: string, seconds: number, signal: AbortSignal): Promise<void> {
      const waiting = ends.wait(jobId);
      let timer: NodeJS.Timeout | undefined;
      try {
        await Promise.race([
          waiting.ended,
          new Promise<void>((resolve) => {
            timer = setTimeout(resolve, seconds * 1_000);
            signal.addEventListener('abort', () => resolve(), { once: true });
          }),
        ]);
      } finally {
        clearTimeout(timer);
        waiting.stop();
      }
    },
  };
}

export type AgentOrders = ReturnType<typeof createAgentOrders>;
