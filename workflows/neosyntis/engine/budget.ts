import { CancellationScope, sleep } from '@temporalio/workflow';

/** gRPC takes 4 MB a message; what one workflow task sends and records stays well below. */
const TASK_BYTES = 1_000_000;

/** A workflow task that computes for two seconds counts as stuck; an expression takes a few milliseconds. */
const TASK_STEPS = 150;

/** Guarded expressions in flight at once: each may bring back a value of the largest size. */
const AT_ONCE = 4;

/**
 * Keeps one workflow task small, in data and in time: whoever is about to send or to compute says so, and once
 * it is too much, a short timer ends the workflow task. All branches of the run wait for it.
 */
export function createBudget(onPause: () => void) {
  let bytes = 0;
  let steps = 0;
  let pausing: Promise<void> | undefined;
  let free = AT_ONCE;
  const waiting: (() => void)[] = [];

  function pause(): Promise<void> {
    bytes = 0;
    steps = 0;
    onPause();
    // Whoever is cancelled meanwhile, the others wait for the same timer.
    pausing = CancellationScope.nonCancellable(() => sleep(1)).then(() => {
      pausing = undefined;
    });
    return pausing;
  }

  const budget = {
    /** Before so many bytes are sent, or after they have come. */
    async spend(amount: number): Promise<void> {
      while (pausing) await pausing;
      if (bytes + amount > TASK_BYTES && bytes > 0) await pause();
      bytes += amount;
    },

    /** Before a task begins, and before an expression is evaluated here. */
    async step(): Promise<void> {
      while (pausing) await pausing;
      if (steps >= TASK_STEPS) await pause();
      steps++;
    },

    /** Runs what brings a value of unknown size, a few at a time. */
    async inTurn<T>(work: () => Promise<T>, sizeOf: (value: T) => number): Promise<T> {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        const value = await work();
        await budget.spend(sizeOf(value));
        return value;
      } finally {
        const next = waiting.shift();
        if (next) next();
        else free++;
      }
    },
  };
  return budget;
}

export type Budget = ReturnType<typeof createBudget>;
