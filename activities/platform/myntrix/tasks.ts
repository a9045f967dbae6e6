import type { Client } from '@temporalio/client';
import type { Begun, TaskAttempts } from '../../../db/myntrix/task-attempts.ts';
import type { TaskTicks } from '../../../db/myntrix/task-ticks.ts';
import type { RunIntents } from '../../../db/neosyntis/run-intents.ts';
import type { WantedSchedules } from '../../../db/system/schedules.ts';
import type { StoredEvent } from '../../../domain/events.ts';
import type { Attempts } from '../../../domain/myntrix/task-actions.ts';
import type { TaskRunEnd } from '../../../domain/myntrix/task-runs.ts';
import type { RunIntent } from '../../../domain/neosyntis/start.ts';
import { tellAgent } from '../../../drivers/agents/tell.ts';
import type { ScheduleCarrier } from '../../../drivers/schedules/port.ts';
import { settle } from '../../../drivers/schedules/settle.ts';
import { followTick, startTaskRun } from '../../../drivers/schedules/task-runs.ts';
import { derivedId } from '../neosyntis/derived-id.ts';

export interface TaskActivityDeps {
  client: Client;
  ticks: TaskTicks;
  attempts: TaskAttempts;
  intents: Pick<RunIntents, 'intent'>;
  schedules: WantedSchedules;
  carrier: ScheduleCarrier;
  publish(events: readonly StoredEvent[]): void;
}

/** What an attempt waits for: a run that its workflow starts, or a job. */
export type BegunAttempt =
  | { kind: 'run'; id: string; intent: RunIntent }
  | { kind: 'job'; id: string }
  | { kind: 'refused'; reason: string };

/** What ticks of tasks ask of the platform. All are idempotent. */
export function createTaskActivities(deps: TaskActivityDeps) {
  const { client, ticks, attempts, intents, schedules, carrier, publish } = deps;

  async function carriedOut(tickId: string, id: string, begun: Begun | undefined): Promise<BegunAttempt> {
    if (!begun) return { kind: 'refused', reason: 'It has ended.' };
    if (begun.kind === 'refused') return begun;
    publish(begun.events);
    if (begun.kind === 'agent') {
      const { order } = begun;
      // A word that is lost is said again by the reconciler.
      if (order) await tellAgent(client, order.agentId, order.command, order.epoch);
      return { kind: 'job', id };
    }
    const intent = await intents.intent(id);
    if (!intent) throw new Error(`run ${id} of tick ${tickId} was written and is not there`);
    return { kind: 'run', id, intent };
  }

  async function beginTaskAttempt(tickId: string, attempt: number): Promise<BegunAttempt> {
    const id = derivedId(tickId, `attempt ${attempt}`);
    return carriedOut(tickId, id, await attempts.attempt(tickId, attempt, id));
  }

  async function endTask(id: string, status: TaskRunEnd, reason?: string): Promise<void> {
    const { begin, events, paused } = await attempts.end(id, status, reason);
    publish(events);
    // Should this be lost, the reconciler does both.
    for (const next of begin) await startTaskRun(client, next);
    if (paused !== undefined) await settle(paused, schedules, carrier);
  }

  return {
    /** What ticks of schedules are taken by. */
    handler: {
      tick: ticks.tick,
      due: async () => undefined, // none counts from an end
      begin: async (id: string): Promise<void> => followTick(client, id, await ticks.todo(id)),
    },

    activities: {
      /** Says that a tick goes on, and begins its first attempt. @returns nothing when it is over, or waits */
      async beginTask(id: string): Promise<{ plan: Attempts; first: BegunAttempt } | undefined> {
        const { plan, events } = await attempts.begin(id);
        publish(events);
        return plan && { plan, first: await beginTaskAttempt(id, 1) };
      },

      beginTaskAttempt,

      /** How an attempt has ended, and with it the tick when it is the last one; nothing while it goes on. */
      async endTaskAttempt({ tickId, attempt, id, isTimeUp, isLast }: AttemptOf): Promise<Ended | undefined> {
        const ended = await attempts.outcome(tickId, attempt, id, isTimeUp);
        if (!ended) return undefined;
        const isOver = ended.isSuccess || isLast;
        if (isOver) await endTask(tickId, ended.isSuccess ? 'success' : 'failed', ended.reason);
        return { isOver };
      },

      endTask,
    },
  };
}

/** An attempt of a tick, and what it began. */
export interface AttemptOf {
  tickId: string;
  attempt: number;
  id: string;
  isTimeUp: boolean;
  /** There is no other one after it. */
  isLast: boolean;
}

interface Ended {
  /** The tick has ended. */
  isOver: boolean;
}

export type TaskActivities = ReturnType<typeof createTaskActivities>['activities'] & {
  notifyTaskByWebhook(tickId: string): Promise<void>;
};
