/** What the attempts of one `try` have begun: the highest attempt of each task inside, by its pointer. */
export interface Attempts {
  /** In the attempts before this one. */
  before: Map<string, number>;
  /** Until now, in this one, too. */
  now: Map<string, number>;
}

export interface AttemptsState {
  before: [string, number][];
  now: [string, number][];
}

export const createAttempts = (state?: AttemptsState): Attempts => ({
  before: new Map(state?.before),
  now: new Map(state?.now),
});

export const attemptsState = ({ before, now }: Attempts): AttemptsState => ({
  before: [...before],
  now: [...now],
});

/** The next attempt of the `try` begins. */
export function nextAttempt(attempts: Attempts): void {
  attempts.before = new Map(attempts.now);
}

/**
 * The number of a task's attempt, more than any that it had in earlier attempts of the `try` tasks around it; in a loop
 * inside of them, more than it had there in any round.
 */
export function numberAttempt(around: readonly Attempts[], pointer: string): number {
  const number = 1 + Math.max(0, ...around.map(({ before }) => before.get(pointer) ?? 0));
  noteAttempt(around, pointer, number);
  return number;
}

export function noteAttempt(around: readonly Attempts[], pointer: string, number: number): void {
  for (const { now } of around) now.set(pointer, Math.max(now.get(pointer) ?? 0, number));
}
