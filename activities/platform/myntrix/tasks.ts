import type { Client } from '@temporalio/client';
import type { TaskAttempts } from '../../../db/myntrix/task-attempts.ts';
import type { Ended, EndedAttempt, Retry, TaskEnds } from '../../../db/myntrix/task-ends.ts';
import type { TaskOrders } from '../../../db/myntrix/task-orders.ts';
import type { TaskTicks } from '../../../db/myntrix/task-ticks.ts';
import type { WantedSchedules } from '../../../db/system/schedules.ts';
import type { StoredEvent } from '../../../domain/events.ts';
import type { TaskRunEnd } from '../../../domain/myntrix/task-runs.ts';
import { tellAgent } from '../../../drivers/agents/tell.ts';
import type { ScheduleCarrier } from '../../../drivers/schedules/port.ts';
import { settle } from '../../../drivers/schedules/settle.ts';
import { cancelTaskRun, startTaskRun } from '../../../drivers/schedules/task-runs.ts';
import { derivedId } from '../neosyntis/derived-id.ts';

export interface TaskActivityDeps {
  client: Client;
  ticks: TaskTicks;
  orders: TaskOrders;
  attempts: TaskAttempts;
  ends: TaskEnds;
  schedules: WantedSchedules;
  carrier: ScheduleCarrier;
  startRun(runId: string): Promise<void>;
  publish(events: readonly StoredEvent[]): void;
}

/** The id of the run or job that an attempt of a tick is. */
export const attemptId = (tickId: string, attempt: number): string => derivedId(tickId, `attempt ${attempt}`);

/** What ticks of tasks ask of the platform. All are idempotent. */
export function createTaskActivities(deps: TaskActivityDeps) {
  const { client, ticks, orders, attempts, ends, schedules, carrier, startRun, publish } = deps;

  /** Should this be lost, the reconciler does it. */
  async function follow({ begin, events, paused }: Ended): Promise<void> {
    publish(events);
    for (const next of begin) await startTaskRun(client, next);
    if (paused !== undefined) await settle(paused, schedules, carrier);
  }

  const endTask = async (id: string, status: TaskRunEnd, reason: string): Promise<void> =>
    follow(await ends.end(id, status, reason));

  /** What an end of an attempt means. @returns nothing while it goes on */
  async function attemptEnded(id: string, ended: EndedAttempt): Promise<{ retry?: Retry } | undefined> {
    const meant = await ends.attemptEnded(id, ended);
    if (meant && !('retry' in meant)) {
      await follow(meant);
      return {};
    }
    return meant;
  }

  return {
    /** What ticks of schedules are taken by. */
    handler: {
      tick: ticks.tick,
      due: async () => undefined, // none counts from an end
      async begin(id: string): Promise<void> {
        const { cancel, begins, run } = await orders.todo(id);
        for (const other of cancel) await cancelTaskRun(client, other);
        if (begins) await startTaskRun(client, id);
        if (run !== null) await startRun(run);
      },
    },

    /** What the end of a run means for the tick that it was an attempt of. */
    async runEnded(tickId: string, runId: string): Promise<void> {
      const { retry } = (await attemptEnded(tickId, { runId })) ?? {};
      if (retry) await startTaskRun(client, tickId, retry);
    },

    activities: {
      /**
       * Begins an attempt of a tick.
       * @returns a job whose end somebody has to look for; nothing for a run, which says so itself, and for what is over
       */
      async beginTask(
        tickId: string,
        attempt: number,
      ): Promise<{ jobId: string; timeoutMs: number } | undefined> {
        const begun = await attempts.begin(tickId, attempt, attemptId(tickId, attempt));
        if (!begun) return undefined;
        if (begun.kind === 'cancelled') {
          await endTask(tickId, 'cancelled', begun.reason);
          return undefined;
        }
        publish(begun.events);
        if (begun.kind === 'refused') {
          await endTask(tickId, 'failed', begun.reason);
          return undefined;
        }
        if (begun.kind === 'run') {
          await startRun(begun.id);
          return undefined;
        }
        const { id: jobId, order, timeoutMs } = begun;
        // A word that is lost is said again by the reconciler.
        if (order) await tellAgent(client, order.agentId, order.command, order.epoch);
        return { jobId, timeoutMs };
      },

      /** How an order to an agent has ended; nothing while it goes on. */
      endTaskAttempt: (
        tickId: string,
        ended: Extract<EndedAttempt, { jobId: string }>,
      ): Promise<{ retry?: Retry } | undefined> => attemptEnded(tickId, ended),

      endTask,
    },
  };
}

export type TaskActivities = ReturnType<typeof createTaskActivities>['activities'] & {
  notifyTaskByWebhook(tickId: string): Promise<void>;
};
