import type { ProcessEnd } from './port.ts';

export type StopReason = Extract<
  ProcessEnd,
  { kind: 'timed_out' | 'output_limit' | 'output_lost' | 'cancelled' }
>;

/** Collects the reasons for ending a process; the first one counts. */
export interface Stop {
  readonly reason: StopReason | undefined;
  /** Resolves with the first reason. */
  readonly wanted: Promise<StopReason>;
  because(reason: StopReason): void;
  /** Lets go of the timer and the signal. */
  release(): void;
}

export function createStop(signal: AbortSignal, timeoutMs: number): Stop {
  const { promise, resolve } = Promise.withResolvers<StopReason>();
  let first: StopReason | undefined;
  const because = (reason: StopReason): void => {
    first ??= reason;
    resolve(first);
  };
  const onAbort = (): void => because({ kind: 'cancelled' });
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => because({ kind: 'timed_out' }), Math.min(timeoutMs, LONGEST_TIMER_MS));
  return {
    get reason() {
      return first;
    },
    wanted: promise,
    because,
    release() {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    },
  };
}

/** Node's timers hold 31 bits; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
