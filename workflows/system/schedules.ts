import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  executeChild,
  makeContinueAsNewFunc,
  proxyActivities,
  proxyLocalActivities,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { ScheduleActivities, TickOf, TickResult } from '../../activities/platform/system/schedules.ts';
import { workflowTypes } from '../../domain/names.ts';
import { runStart } from '../../domain/neosyntis/start.ts';

/**
 * The same as a local activity, for ticks that may be many at once. Whoever waits for long waits for a timer, and keeps
 * no other workflow from its turn.
 */
const { tick: tickHere } = proxyLocalActivities<ScheduleActivities>({
  startToCloseTimeout: '20 seconds',
  localRetryThreshold: '1 second',
  retry: { initialInterval: 100, maximumInterval: '5 seconds' },
});

/** Tried until the database is back: how late a tick may be is decided there. */
const { tick, writeTick, due } = proxyActivities<ScheduleActivities>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: 100, maximumInterval: '5 seconds' },
});

export interface Paced {
  scheduleId: string;
  afterMs: number;
  /** Of what was wanted: it is in the memo, sealed anew in each round. */
  digest: string;
}

/**
 * What Temporal's schedule starts, once for each of its times. It has no arguments: they would be sealed with the key of
 * the day on which the schedule was made, and that key may go before the schedule does.
 */
export const scheduleTick = (): Promise<TickResult | undefined> => tick(tickOf());

/** As `scheduleTick`, of a task. */
export const taskTick = (): Promise<TickResult | undefined> => tickHere(tickOf());

function tickOf(): TickOf {
  const { searchAttributes, startTime } = workflowInfo();
  const [at] = searchAttributes.TemporalScheduledStartTime ?? [];
  const [by] = searchAttributes.TemporalScheduledById ?? [];
  const nominal = at instanceof Date ? at : startTime;
  return { scheduleId: String(by), nominal: nominal.toISOString() };
}

const FIRST_LOOK_MS = 1_000;
const LONGEST_LOOK_MS = 60_000;

/**
 * Starts a run that long after the one before ended, for ever: a round is one run. It is that run's parent, so that
 * waiting for its end costs nothing. A run that somebody else started is looked after now and then.
 */
export async function schedulePacer(paced: Paced, lookMs: number = FIRST_LOOK_MS): Promise<void> {
  const { scheduleId, afterMs, digest } = paced;
  const next = makeContinueAsNewFunc<typeof schedulePacer>({ memo: { digest } });
  const at = await dueAt(scheduleId);
  if (at === 'gone') return; // who removed it was killed before this was ended, too
  if (at === null) {
    await sleep(lookMs);
    return next(paced, Math.min(lookMs * 2, LONGEST_LOOK_MS));
  }
  const waitMs = Date.parse(at) - Date.now();
  if (waitMs > 0) await sleep(waitMs);
  const begun = await writeTick({ scheduleId, nominal: new Date().toISOString() });
  if (!begun) await sleep(afterMs);
  else await endOf(runStart(begun.runId, begun.intent));
  return next(paced);
}

async function dueAt(scheduleId: string): Promise<string | null | 'gone'> {
  try {
    return await due(scheduleId);
  } catch (error) {
    const cause = error instanceof ActivityFailure ? error.cause : undefined;
    if (cause instanceof ApplicationFailure && cause.type === 'gone') return 'gone';
    throw error;
  }
}

/** Starts a run and waits for its end, however it ends. */
async function endOf(start: ReturnType<typeof runStart>): Promise<void> {
  try {
    await executeChild(workflowTypes.run, { ...start, parentClosePolicy: 'ABANDON' });
  } catch (error) {
    // Failed, cancelled or terminated is an end as well; one that the reconciler started is looked after.
    const isOver = error instanceof ChildWorkflowFailure;
    if (!isOver && !(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
