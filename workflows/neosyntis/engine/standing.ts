/**
 * Tells whether the run works or only waits for events. It counts who goes on: one at first, as many as a fork has
 * branches in it, and without those that wait for an event. A run that is paused is that, whatever else it is.
 */
export function createStanding(tell: (status: 'running' | 'waiting') => void, isPaused: () => boolean) {
  let busy = 1;
  let isWaiting = false;
  const status = () => (isWaiting ? 'waiting' : 'running');
  const changed = () => {
    if (!isPaused()) tell(status());
  };
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
      changed();
    },
    /** Something is done. */
    goesOn(): void {
      if (!isWaiting) return;
      isWaiting = false;
      changed();
    },
    status,
  };
}

export type Standing = ReturnType<typeof createStanding>;
