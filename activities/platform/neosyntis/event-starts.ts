import type { BegunRuns, EventRuns, HeldEvents } from '../../../db/neosyntis/event-runs.ts';
import type { DueEvents, EventStartQueue } from '../../../db/neosyntis/event-starts.ts';
import type { StoredEvent } from '../../../domain/events.ts';
import type { Logger } from '../../../logs.ts';

export interface EventStartDeps {
  queue: Pick<EventStartQueue, 'due'>;
  runs: EventRuns;
  startRun(runId: string): Promise<void>;
  publish(events: readonly StoredEvent[]): void;
  log: Logger;
}

/** What begins runs by events. All are idempotent. */
export function createEventStartActivities({ queue, runs, startRun, publish, log }: EventStartDeps) {
  function tell(scheduleId: string, { events, refused }: BegunRuns): void {
    publish(events);
    for (const reason of refused) log.warn({ scheduleId, reason }, 'events start no run');
  }

  return {
    /** What a schedule has not been held against; nothing when there is none. */
    async dueEvents(scheduleId: string): Promise<DueEvents | null> {
      return (await queue.due(scheduleId)) ?? null;
    },

    /** Writes the runs that events begin, and begins them. Should that be lost, the reconciler begins them. */
    async takeEvents(held: HeldEvents): Promise<void> {
      const begun = await runs.take(held);
      tell(held.scheduleId, begun);
      await Promise.all(
        begun.runs.map((runId) =>
          startRun(runId).catch((error: unknown) =>
            log.warn({ err: error, runId }, 'a run that events began is started by the reconciler'),
          ),
        ),
      );
    },
  };
}

export type EventStartActivities = ReturnType<typeof createEventStartActivities>;
