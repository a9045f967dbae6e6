import type { BesideAgent, createAgentSchedules } from '../../db/myntrix/agent-schedules.ts';
import type { AgentRepository, SavedAgent } from '../../db/myntrix/agents.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type { AgentConfiguration } from '../../domain/myntrix/agent-configuration.ts';
import type { Agent } from '../../domain/myntrix/agents.ts';
import type { AgentAction } from '../../domain/names.ts';
import { tellAgent } from '../../drivers/agents/tell.ts';
import type { Logger } from '../../logs.ts';
import type { RunEnds } from '../live/run-ends.ts';
import type { Temporal } from '../temporal/client.ts';
import { schedulesOf } from './agent-schedules.ts';

export interface AgentOrderDeps {
  agents: AgentRepository;
  temporal: Temporal;
  ends: RunEnds;
  /** Writes the tasks of an agent. */
  schedules: ReturnType<typeof createAgentSchedules>;
  /** Brings Temporal in line with a task. */
  follow(taskId: string): Promise<void>;
  publish(events: readonly StoredEvent[]): void;
  log: Logger;
}

/** Starts, stops, restarts and deletes agents: the row first, then the word to its workflow. */
export function createAgentOrders(deps: AgentOrderDeps) {
  const { agents, temporal, ends, schedules, follow, publish, log } = deps;

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

    /** What its configuration asks for at times. @throws AppError as `schedulesOf` does */
    schedules: (user: Principal, configuration: AgentConfiguration): BesideAgent =>
      schedules(user, schedulesOf(user, configuration)),

    /** Follows the writing of an agent. */
    async save(saving: Promise<SavedAgent>): Promise<Agent> {
      const { agent, tasks, events } = await saving;
      publish(events);
      for (const task of tasks) await follow(task);
      return agent;
    },

    async remove(user: Principal, id: string): Promise<void> {
      await temporal.ensureUp();
      const { epoch, events, tasks } = await agents.remove(id, schedules(user, []));
      publish(events);
      await tell(id, 'stop', epoch);
      for (const task of tasks) await follow(task);
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
