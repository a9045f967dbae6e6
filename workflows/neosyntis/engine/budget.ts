import { sleep } from '@temporalio/workflow';

/** gRPC takes 4 MB a message; what one workflow task sends and records stays well below. */
const TASK_BYTES = 1_000_000;

/** Guarded expressions in flight at once: each may bring back a value of the largest size. */
const AT_ONCE = 4;

/**
 * Keeps the data of one workflow task small: whoever is about to send, or has received, so many bytes says so,
 * and once they are too many a short timer ends the workflow task.
 */
export function createBudget(onPause: () => void) {
  let spent = 0;
  let turn: Promise<void> = Promise.resolve();
  let free = AT_ONCE;
  const waiting: (() => void)[] = [];

  async function spend(bytes: number): Promise<void> {
    spent += bytes;
    if (spent <= TASK_BYTES) return;
    spent = bytes;
    onPause();
    await sleep(1);
  }

  return {
    /** One after another: those who come while it pauses wait for it. */
    spend(bytes: number): Promise<void> {
      turn = turn.then(() => spend(bytes));
      return turn;
    },

    /** Runs what brings a value of unknown size, a few at a time. */
    async inTurn<T>(work: () => Promise<T>, sizeOf: (value: T) => number): Promise<T> {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        const value = await work();
        await this.spend(sizeOf(value));
        return value;
      } finally {
        const next = waiting.shift();
        if (next) next();
        else free++;
      }
    },
  };
}

export type Budget = ReturnType<typeof createBudget>;
