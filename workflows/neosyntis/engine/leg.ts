import { CancellationScope, CancelledFailure, condition, sleep, workflowInfo } from '@temporalio/workflow';
import { Unwound } from './frames.ts';

/** So many tasks and rounds, at 2 to 5 ms each, a new worker does again within seconds (docs/decisions/032). */
export const LEG_TASKS = 1_000;

const EVENTS = 4_000;
const BYTES = 4 * 1024 * 1024;

/**
 * What is over by so much is left also while activities are in flight, which then hold up the rest: Temporal ends an
 * execution at 51,200 events or 50 MB, without a word to those who watch.
 */
const TASKS_OVER = 5;
const HISTORY_OVER = 10;

export interface LegOptions {
  /** After so many tasks and rounds it is long enough. */
  tasks?: number | undefined;
  isPaused?: boolean | undefined;
}

/**
 * One leg of a run: the part of its way that one Temporal execution goes. When it is long enough, each branch stops at
 * its next safe point by throwing Unwound, and another execution goes on from there. While activities are in flight,
 * the branches beside them go on for a while, as they would have to wait for them otherwise.
 */
export function createLeg({ tasks = LEG_TASKS, isPaused = false }: LegOptions) {
  let done = 0;
  let busy = 0;
  let isLeaving = false;
  let paused = isPaused;
  let isEnding = false;

  function isLong(taskFactor: number, historyFactor: number): boolean {
    const { historyLength, historySize } = workflowInfo();
    if (historyLength > EVENTS * historyFactor || historySize > BYTES * historyFactor) return true;
    return done >= tasks * taskFactor;
  }

  /** Each leg does something, however much it was given. */
  function isDue(): boolean {
    if (isLeaving || done === 0) return isLeaving;
    const isFree = busy === 0 && (isLong(1, 1) || workflowInfo().continueAsNewSuggested);
    isLeaving = isFree || isLong(TASKS_OVER, HISTORY_OVER);
    return isLeaving;
  }

  function leaveIfDue(): void {
    // Also a run of pure tasks notices here.
    if (CancellationScope.current().consideredCancelled)
      throw new CancelledFailure('cancelled between two tasks');
    if (isDue()) throw new Unwound();
  }

  function next(): void {
    leaveIfDue();
    done++;
  }

  return {
    /**
     * Before a task begins: a safe point, and where a paused run stands still.
     * @param stand called before it stands still
     * @returns what is to be called when the task has ended, or can be left
     */
    async gate(stand: () => void): Promise<() => void> {
      if (paused) stand();
      while (paused && !isLeaving) await condition(() => !paused || isLeaving);
      next();
      busy++;
      let isBusy = true;
      return () => {
        if (isBusy) busy--;
        isBusy = false;
      };
    },

    /** Before a round of a loop: a safe point. */
    round: next,

    /**
     * Until something holds that a signal or an update brings about: a safe point all the while. Waiting is no work: a
     * leg in which nothing else happens is left by nobody.
     */
    async waitFor(holds: () => boolean): Promise<void> {
      leaveIfDue();
      await condition(() => holds() || isLeaving);
      if (!holds()) throw new Unwound();
    },

    /** Until that time, in ms since 1970: a safe point all the while. */
    async sleepUntil(at: number): Promise<void> {
      const ms = at - Date.now();
      if (ms <= 0) return;
      if (isLeaving && !CancellationScope.current().consideredCancelled) throw new Unwound();
      const both = new CancellationScope();
      const isOver = await both.run(async () => {
        try {
          return await Promise.race([
            sleep(ms).then(() => true),
            condition(() => isLeaving).then(() => false),
          ]);
        } finally {
          both.cancel();
        }
      });
      if (!isOver) throw new Unwound();
    },

    pause(wanted: boolean): void {
      paused = wanted;
    },
    isPaused: () => paused,

    /** Each branch stops at its next safe point. */
    isLeaving: () => isLeaving,

    /** The run's end is being told. */
    end(): void {
      isEnding = true;
    },
    isEnding: () => isEnding,
  };
}

export type Leg = ReturnType<typeof createLeg>;
