/**
 * One local activity of a run at a time. Two in flight wake the run one after the other while it runs, and both at
 * once when it is replayed (SDK 1.24): what each of them then starts may change places, and the run would be stuck.
 * The workflow task waits for all of them anyway.
 */
export function createTurns() {
  let last: Promise<unknown> = Promise.resolve();
  /** The activity, waiting for its turn; those that wait are called in the order in which they were asked for. */
  return <Args extends unknown[], Result>(activity: (...args: Args) => Promise<Result>) =>
    (...args: Args): Promise<Result> => {
      const result = last.then(() => activity(...args));
      last = result.catch(() => undefined);
      return result;
    };
}

export type InTurn = ReturnType<typeof createTurns>;
