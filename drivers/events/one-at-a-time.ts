/**
 * Does the work for each of some ids, side by side, and for one id never twice at once: what comes for it meanwhile is one
 * more time after that, however often it came. Who asks waits for the end of it; what fails goes to `onError`.
 */
export function oneAtATime(
  work: (id: string) => Promise<unknown>,
  onError: (error: unknown, id: string) => void,
): (ids: readonly string[]) => Promise<void> {
  /** What is being worked on, and whether more has come meanwhile. */
  const busy = new Map<string, { more: boolean; done: Promise<void> }>();

  function once(id: string): Promise<void> {
    const current = busy.get(id);
    if (current) {
      current.more = true;
      return current.done;
    }
    const state = { more: false, done: Promise.resolve() };
    busy.set(id, state);
    state.done = (async () => {
      try {
        do {
          state.more = false;
          await work(id);
        } while (state.more);
      } catch (error) {
        onError(error, id);
      } finally {
        busy.delete(id);
      }
    })();
    return state.done;
  }

  return async (ids) => void (await Promise.all(ids.map(once)));
}
