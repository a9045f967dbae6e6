import type { Recorder } from './recorder.ts';

/**
 * Tells whether the run works or only waits for events. It counts who goes on: one at first, as many as a fork has
 * branches in it, and without those that wait for an event.
 */
export function createStanding(recorder: Pick<Recorder, 'run' | 'flush'>, startedAt: string) {
  let busy = 1;
  let isWaiting = false;
  return {
    /** One more goes on. What that means for the run is told when it does something: `goesOn`. */
    enter(): void {
      busy += 1;
    },
    /** One has ended, or waits for an event: when nobody else goes on, the run waits. */
    leave(): void {
      busy -= 1;
      if (busy > 0 || isWaiting) return;
      isWaiting = true;
      recorder.run({ status: 'waiting', startedAt });
      recorder.flush();
    },
    /** Something is done. */
    goesOn(): void {
      if (!isWaiting) return;
      isWaiting = false;
      recorder.run({ status: 'running', startedAt });
    },
  };
}

export type Standing = ReturnType<typeof createStanding>;
