import { setTimeout as delay } from 'node:timers/promises';
import { CancelledFailure, Context } from '@temporalio/activity';
import type { RunOptions as ProcessOptions } from '../../../drivers/processes/port.ts';

/** A process that runs, and the activities that stay with it. */
interface Held<T> {
  result: Promise<T>;
  end: AbortController;
  holders: number;
  hasEnded: boolean;
  pid?: number;
}

export type RunOptions = Pick<ProcessOptions, 'signal' | 'onStarted'>;

const HEARTBEAT_MS = 150;

export interface HoldsOptions {
  /** Whether Temporal can be asked now: while it is away nobody can say that a process is still wanted. */
  temporalAnswers?: (() => Promise<boolean>) | undefined;
  orphanAfterMs?: number | undefined;
}

/**
 * A process whose activity Temporal has forgotten (it was away for longer than the heartbeat's time limit, or the run
 * was terminated) goes on for so long without one while Temporal is there: its run asks for it, or nobody wants it.
 */
const ORPHAN_AFTER_MS = 7_000;

/** Processes with the activities that hold them: who asks for one that runs already stays with it. */
export function createHolds<T>({
  temporalAnswers = async () => true,
  orphanAfterMs = ORPHAN_AFTER_MS,
}: HoldsOptions = {}) {
  const all = new Map<string, Held<T>>();

  /** Ends a process that nobody has asked for in time. */
  async function endOrphan(held: Held<T>, reason: unknown): Promise<void> {
    const roundMs = Math.min(1_000, orphanAfterMs);
    for (let waitedMs = 0; waitedMs < orphanAfterMs; ) {
      await delay(roundMs, undefined, { ref: false });
      if (held.holders > 0 || held.hasEnded) return;
      if (await temporalAnswers()) waitedMs += roundMs;
    }
    held.end.abort(reason);
  }

  /** Stays until the process has ended, heartbeating; what cancels the activity ends the process. */
  async function stay(held: Held<T>): Promise<T> {
    const context = Context.current();
    const signal = context.cancellationSignal;
    const beat = setInterval(() => context.heartbeat({ pid: held.pid }), HEARTBEAT_MS);
    held.holders++;
    const onCancel = (): void => {
      held.holders--;
      if (isForgotten(signal.reason)) void endOrphan(held, signal.reason);
      else held.end.abort(signal.reason);
    };
    if (signal.aborted) onCancel();
    else signal.addEventListener('abort', onCancel, { once: true });
    try {
      return await held.result;
    } finally {
      clearInterval(beat);
      signal.removeEventListener('abort', onCancel);
    }
  }

  return {
    /** Starts a process and stays with it. */
    async begin(id: string, start: (options: RunOptions) => Promise<T>): Promise<T> {
      const end = new AbortController();
      const onStarted = (pid: number) => {
        held.pid = pid;
      };
      const result = start({ signal: end.signal, onStarted });
      const held: Held<T> = { result, end, holders: 0, hasEnded: false };
      all.set(id, held);
      try {
        return await stay(held);
      } finally {
        held.hasEnded = true;
        if (all.get(id) === held) all.delete(id);
      }
    },
    /** How many processes there are now, whoever asked for them. */
    count: (): number => all.size,
    /** Stays with a process that runs already; undefined when there is none. */
    join(id: string): Promise<T> | undefined {
      const held = all.get(id);
      return held && stay(held);
    },
  };
}

/** Temporal does not know the attempt any more, or gave it up: nobody has asked for an end. */
const isForgotten = (reason: unknown): boolean =>
  reason instanceof CancelledFailure && ['NOT_FOUND', 'TIMED_OUT'].includes(reason.message);
