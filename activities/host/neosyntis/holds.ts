import { CancelledFailure, Context } from '@temporalio/activity';
import type { ProcessResult, RunOptions } from '../../../drivers/processes/port.ts';

/** A process that runs, and the activities that stay with it. */
interface Held {
  result: Promise<ProcessResult>;
  end: AbortController;
  holders: number;
  pid?: number;
}

type Start = (options: Pick<RunOptions, 'signal' | 'onStarted'>) => Promise<ProcessResult>;

const HEARTBEAT_MS = 150;

/**
 * A process whose activity Temporal has forgotten (it was away for longer than the heartbeat's time limit, or the run
 * was terminated) goes on for so long without one: its run asks for it again, or nobody wants it.
 */
const ORPHAN_AFTER_MS = 7_000;

/** Processes with the activities that hold them: who asks for one that runs already stays with it. */
export function createHolds(orphanAfterMs = ORPHAN_AFTER_MS) {
  const all = new Map<string, Held>();

  /** Stays until the process has ended, heartbeating; what cancels the activity ends the process. */
  async function stay(held: Held): Promise<ProcessResult> {
    const context = Context.current();
    const signal = context.cancellationSignal;
    const beat = setInterval(() => context.heartbeat({ pid: held.pid }), HEARTBEAT_MS);
    held.holders++;
    const onCancel = (): void => {
      held.holders--;
      const endIt = () => held.holders === 0 && held.end.abort(signal.reason);
      if (isForgotten(signal.reason)) setTimeout(endIt, orphanAfterMs).unref();
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
    async begin(id: string, start: Start): Promise<ProcessResult> {
      const end = new AbortController();
      const onStarted = (pid: number) => {
        held.pid = pid;
      };
      const held: Held = { result: start({ signal: end.signal, onStarted }), end, holders: 0 };
      all.set(id, held);
      try {
        return await stay(held);
      } finally {
        if (all.get(id) === held) all.delete(id);
      }
    },
    /** Stays with a process that runs already; undefined when there is none. */
    join(id: string): Promise<ProcessResult> | undefined {
      const held = all.get(id);
      return held && stay(held);
    },
  };
}

/** Temporal does not know the attempt any more, or gave it up: nobody has asked for an end. */
const isForgotten = (reason: unknown): boolean =>
  reason instanceof CancelledFailure && ['NOT_FOUND', 'TIMED_OUT'].includes(reason.message);
