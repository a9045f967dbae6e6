import { ApplicationFailure, Context, heartbeat } from '@temporalio/activity';
import type { RunIntents } from '../../../db/neosyntis/run-intents.ts';
import type { ScheduledRuns } from '../../../db/neosyntis/scheduled-runs.ts';
import type { WantedSchedules } from '../../../db/system/schedules.ts';
import type { StoredEvent } from '../../../domain/events.ts';
import type { RunIntent } from '../../../domain/neosyntis/start.ts';
import type { ScheduleKind, TickOutcome } from '../../../domain/system/schedules.ts';
import type { ScheduleCarrier } from '../../../drivers/schedules/port.ts';
import { astray, settle } from '../../../drivers/schedules/settle.ts';
import { tickId } from '../../../drivers/schedules/tick-id.ts';
import { isNominal } from '../../../drivers/schedules/times.ts';
import type { Logger } from '../../../logs.ts';

/** What a tick of each kind of schedule does. */
export type TickHandlers = Record<
  ScheduleKind,
  Pick<ScheduledRuns, 'tick' | 'due'> & {
    /** Begins what a tick wrote, unless it has begun. */
    begin(runId: string): Promise<void>;
  }
>;

export interface ScheduleActivityDeps {
  schedules: WantedSchedules;
  handlers: TickHandlers;
  intents: Pick<RunIntents, 'intent'>;
  carrier: ScheduleCarrier;
  publish(events: readonly StoredEvent[]): void;
  log: Logger;
}

/** A tick: of which schedule, and the time at which it was to come (ISO 8601). */
export interface TickOf {
  scheduleId: string;
  nominal: string;
}

/** Nothing when it was no time of the schedule. */
export type TickResult = { outcome: TickOutcome; runId?: string };

const HEARTBEAT_MS = 1_000;

/** What makes things begin by themselves. All are idempotent. */
export function createScheduleActivities(deps: ScheduleActivityDeps) {
  const { schedules, handlers, intents, carrier, publish, log } = deps;

  async function write({
    scheduleId,
    nominal,
  }: TickOf): Promise<(TickResult & { kind: ScheduleKind }) | undefined> {
    const at = new Date(nominal);
    const wanted = await schedules.one(scheduleId);
    if (!wanted || !isNominal(wanted.timing, at)) return undefined;
    const ticked = await handlers[wanted.kind].tick(scheduleId, at, tickId(scheduleId, at));
    if (!ticked) return undefined;
    const { events, outcome, reason, runId } = ticked;
    publish(events);
    if (outcome !== 'started') log.warn({ scheduleId, nominal, outcome, reason }, 'a tick starts no run');
    return { kind: wanted.kind, outcome, ...(runId === undefined ? {} : { runId }) };
  }

  return {
    /** Writes what the tick begins, and begins it. Should that be lost, the reconciler begins it. */
    async tick(tick: TickOf): Promise<TickResult | undefined> {
      const written = await write(tick);
      if (!written) return undefined;
      const { kind, ...result } = written;
      if (result.runId) await handlers[kind].begin(result.runId);
      return result;
    },

    /** Writes what the tick begins, for one who begins it and waits for its end. */
    async writeTick(tick: TickOf): Promise<{ runId: string; intent: RunIntent } | undefined> {
      const { runId } = (await write(tick)) ?? {};
      const intent = runId === undefined ? undefined : await intents.intent(runId);
      return runId !== undefined && intent ? { runId, intent } : undefined;
    },

    /** When an `after` starts again; null while what it counts from goes on. */
    async due(scheduleId: string): Promise<string | null> {
      const wanted = await schedules.one(scheduleId);
      const due = wanted && (await handlers[wanted.kind].due(scheduleId));
      if (due === undefined)
        throw ApplicationFailure.nonRetryable('There is no such schedule any more, or it is paused', 'gone');
      return due?.toISOString() ?? null;
    },

    /** Brings Temporal's schedules in line with the rows: those that are missing, different, or nobody's. */
    async reconcileSchedules(): Promise<void> {
      const beat = setInterval(() => heartbeat(), HEARTBEAT_MS);
      try {
        for (const id of await astray(schedules, carrier)) {
          // A pass whose time is over is followed by another.
          Context.current().cancellationSignal.throwIfAborted();
          log.warn({ scheduleId: id }, 'bringing a schedule in line');
          await settle(id, schedules, carrier).catch((error: unknown) => {
            // What is wrong with one holds up no other one.
            log.error({ err: error, scheduleId: id }, 'a schedule cannot be set right now');
            return schedules.noteProblem(id, `Temporal does not take it: ${messageOf(error)}`);
          });
        }
      } finally {
        clearInterval(beat);
      }
    },
  };
}

export type ScheduleActivities = ReturnType<typeof createScheduleActivities>;

function messageOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof Error ? cause.message : String(cause);
}
