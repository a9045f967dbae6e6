import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { EventStartQueue } from '../../../db/neosyntis/event-starts.ts';
import type { EventSubscriptions } from '../../../db/neosyntis/event-subscriptions.ts';
import type { EventStore } from '../../../db/neosyntis/events.ts';
import type { LifecycleStore } from '../../../db/neosyntis/lifecycle.ts';
import { runSignals } from '../../../domain/names.ts';
import type { WorkflowEvent } from '../../../domain/neosyntis/cloud-event.ts';
import type { Listening } from '../../../domain/neosyntis/events.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';
import { createDelivery, type Deliver } from '../../../drivers/events/delivery.ts';
import { createWake, type Wake } from '../../../drivers/events/wake.ts';
import type { Logger } from '../../../logs.ts';

/** A Temporal that takes longer is away: the reconciler comes back to it. */
const SIGNAL_WITHIN_MS = 5_000;

/** A signal that was lost is noticed after this time. */
const LOST_AFTER_MS = 3_000;

interface LifecycleDeps {
  lifecycle: LifecycleStore;
  deliver: Deliver;
  wake: Wake;
  bus: Pick<Bus, 'publish'>;
  log: Logger;
}

interface ReconcilerDeps {
  store: EventStore;
  starts: Pick<EventStartQueue, 'overdue'>;
  lifecycle: LifecycleStore;
  deliver: Deliver;
  wake: Wake;
  sendLifecycle(runId: string): Promise<void>;
}

/** Delivery by a worker's own connection to Temporal. */
export const createWorkerDelivery = ({
  store,
  client,
  log,
}: {
  store: EventStore;
  client: Client;
  log: Logger;
}): Deliver =>
  createDelivery({
    ...store,
    async signal(runId, events) {
      try {
        await client.withDeadline(Date.now() + SIGNAL_WITHIN_MS, () =>
          client.workflow.getHandle(runId).signal(runSignals.events, events),
        );
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },
    onError: (error, runId) => log.warn({ err: error, runId }, 'events are delivered later'),
  });

/** A worker's word to who begins runs by events. */
export const createWorkerWake = ({ client, log }: { client: Client; log: Logger }): Wake =>
  createWake({
    call: (work) => client.withDeadline(Date.now() + SIGNAL_WITHIN_MS, () => work(client)),
    onError: (error, scheduleId) => log.warn({ err: error, scheduleId }, 'events start runs later'),
  });

/** What a run asks of the platform about events. All are idempotent. */
export function createEventActivities(deps: {
  store: EventStore;
  subscriptions: EventSubscriptions;
  deliver: Deliver;
  wake: Wake;
}) {
  const { store, subscriptions, deliver, wake } = deps;
  return {
    /** Writes an event down for whoever listens; it is delivered from there, so nobody waits for that. */
    async emitEvent(runId: string, event: WorkflowEvent): Promise<void> {
      const { runs, schedules } = await store.emit(runId, event);
      void deliver(runs);
      void wake(schedules);
    },

    /** When it is done, every further event that can be meant reaches the run. */
    beginListening: (runId: string, listening: Listening): Promise<void> =>
      subscriptions.add(runId, listening),

    endListening: (runId: string, place: Pick<Listening, 'path' | 'iteration'>): Promise<void> =>
      subscriptions.remove(runId, place),
  };
}

export type EventActivities = ReturnType<typeof createEventActivities>;

/** Makes the lifecycle events of a run that are due, for the bus and for the runs that wait for them. */
export const createLifecycle =
  ({ lifecycle, deliver, wake, bus, log }: LifecycleDeps) =>
  async (runId: string): Promise<void> => {
    try {
      const made = await lifecycle.make(runId);
      if (!made) return;
      createNews(bus).lifecycle(made.events.map((event) => ({ owner_id: made.ownerId, event })));
      await Promise.all([deliver(made.runs), wake(made.schedules)]);
    } catch (error) {
      log.warn({ err: error, runId }, 'lifecycle events are made later');
    }
  };

/** Sends what was never sent, and forgets what is due to runs that have ended. */
export const createEventReconciler =
  ({ store, starts, lifecycle, deliver, wake, sendLifecycle }: ReconcilerDeps) =>
  async (): Promise<void> => {
    await store.forgetEnded();
    for (const runId of await lifecycle.overdue(LOST_AFTER_MS)) await sendLifecycle(runId);
    await deliver(await store.overdue(LOST_AFTER_MS));
    await wake(await starts.overdue(LOST_AFTER_MS));
  };
