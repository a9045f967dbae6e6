type Status = 'running' | 'waiting';

interface StandingOptions {
  tell(status: Status): void;
  leg: { isPaused(): boolean; isLeaving(): boolean };
  /** Where the run stood in its execution before this one. */
  status?: Status | undefined;
}

/**
 * Tells whether the run works or only waits for events. It counts who goes on: one at first, as many as a fork has
 * branches in it, and without those that wait for an event. A run that is paused is that, whatever else it is.
 */
export function createStanding({ tell, leg, status: before }: StandingOptions) {
  let busy = 1;
  let isWaiting = before === 'waiting';
  const status = (): Status => (isWaiting ? 'waiting' : 'running');
  const changed = () => {
    if (!leg.isPaused()) tell(status());
  };
  return {
    /** One more goes on. What that means for the run is told when it does something: `goesOn`. */
    enter(): void {
      busy += 1;
    },
    /** One has ended, or waits for an event: when nobody else goes on, the run waits. */
    leave(): void {
      busy -= 1;
      // Who is left goes on in the next execution.
      if (busy > 0 || isWaiting || leg.isLeaving()) return;
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
