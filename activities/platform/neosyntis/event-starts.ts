import { Context } from '@temporalio/activity';
import type { BegunRuns, EventRuns, HeldEvents } from '../../../db/neosyntis/event-runs.ts';
import type { EventStartQueue } from '../../../db/neosyntis/event-starts.ts';
import type { StoredEvent } from '../../../domain/events.ts';
import { type DueEvents, PAYLOAD } from '../../../domain/neosyntis/event-starts.ts';
import type { GuardedExpression, GuardedResult } from '../../../domain/neosyntis/guarded.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { GuardedEvaluator } from '../../../drivers/expressions/guarded.ts';
import type { Logger } from '../../../logs.ts';

export interface EventStartDeps {
  queue: Pick<EventStartQueue, 'due' | 'part'>;
  guarded: Pick<GuardedEvaluator, 'evaluate'>;
  runs: EventRuns;
  startRun(runId: string): Promise<void>;
  publish(events: readonly StoredEvent[]): void;
  log: Logger;
}

/** What begins runs by events. All are idempotent. */
export function createEventStartActivities(deps: EventStartDeps) {
  const { queue, guarded, runs, startRun, publish, log } = deps;

  function tell(scheduleId: string, { events, refused }: BegunRuns): void {
    publish(events);
    for (const reason of refused) log.warn({ scheduleId, reason }, 'events start no run');
  }

  return {
    /** What a schedule has not been held against; nothing when there is none. */
    async dueEvents(scheduleId: string): Promise<DueEvents | null> {
      return (await queue.due(scheduleId)) ?? null;
    },

    eventPart: (seq: number, at: number): Promise<string> => queue.part(seq, at),

    /** What an expression of a filter says of an event; a large value is none. */
    async evaluateFilter(expression: GuardedExpression): Promise<GuardedResult> {
      const result = await guarded.evaluate(expression, Context.current().cancellationSignal);
      return 'values' in result && byteLength(result.values) > PAYLOAD.valueBytes
        ? { problem: `it gave more than ${PAYLOAD.valueBytes} bytes of JSON` }
        : result;
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
