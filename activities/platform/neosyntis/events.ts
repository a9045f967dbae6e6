import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { EventSubscriptions } from '../../../db/neosyntis/event-subscriptions.ts';
import type { EventStore } from '../../../db/neosyntis/events.ts';
import type { LifecycleStore } from '../../../db/neosyntis/lifecycle.ts';
import { runSignals } from '../../../domain/names.ts';
import type { WorkflowEvent } from '../../../domain/neosyntis/cloud-event.ts';
import type { Listening } from '../../../domain/neosyntis/events.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';
import { createDelivery, type Deliver } from '../../../drivers/events/delivery.ts';
import type { Logger } from '../../../logs.ts';

/** A Temporal that takes longer is away: the reconciler comes back to it. */
const SIGNAL_WITHIN_MS = 5_000;

/** A signal that was lost is noticed after this time. */
const LOST_AFTER_MS = 3_000;

interface LifecycleDeps {
  lifecycle: LifecycleStore;
  deliver: Deliver;
  bus: Pick<Bus, 'publish'>;
  log: Logger;
}

interface ReconcilerDeps {
  store: EventStore;
  lifecycle: LifecycleStore;
  deliver: Deliver;
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

/** What a run asks of the platform about events. All are idempotent. */
export function createEventActivities(deps: {
  store: EventStore;
  subscriptions: EventSubscriptions;
  deliver: Deliver;
}) {
  const { store, subscriptions, deliver } = deps;
  return {
    /** Writes an event down for whoever listens; it is delivered from there, so nobody waits for that. */
    async emitEvent(runId: string, event: WorkflowEvent): Promise<void> {
      const { runs } = await store.emit(runId, event);
      void deliver(runs);
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
  ({ lifecycle, deliver, bus, log }: LifecycleDeps) =>
  async (runId: string): Promise<void> => {
    try {
      const made = await lifecycle.make(runId);
      if (!made) return;
      createNews(bus).lifecycle(made.events.map((event) => ({ owner_id: made.ownerId, event })));
      await deliver(made.runs);
    } catch (error) {
      log.warn({ err: error, runId }, 'lifecycle events are made later');
    }
  };

/** Sends what was never sent, and forgets what is due to runs that have ended. */
export const createEventReconciler =
  ({ store, lifecycle, deliver, sendLifecycle }: ReconcilerDeps) =>
  async (): Promise<void> => {
    await store.forgetEnded();
    for (const runId of await lifecycle.overdue(LOST_AFTER_MS)) await sendLifecycle(runId);
    await deliver(await store.overdue(LOST_AFTER_MS));
  };
