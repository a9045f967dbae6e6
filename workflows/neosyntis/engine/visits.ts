/** Numbers of one task in one execution of its list, each a visit after the first: `then` led back to it. */
export interface Visit {
  last: number;
  /** The highest number that a task inside of it has where this task's would stand. */
  high: number;
}

/** A task that others are inside of, in its first visit, and where its number would stand in their `iteration`. */
export interface Around {
  position: number;
  visit: Visit;
}

/**
 * Tells visits of the tasks of one list apart: from the second visit on, a task's `iteration` has a number more. What a
 * `then` leads back to may have tasks inside that do so themselves: a number that one of them has already is left out,
 * as the place of a step is what tells its effects from all others of the run.
 */
export function createVisits(iteration: number[], around: readonly Around[], known: [number, Visit][] = []) {
  const visits = new Map(known);
  return {
    begin(at: number): void {
      const visit = visits.get(at);
      if (!visit) {
        visits.set(at, { last: 0, high: 0 });
        return;
      }
      visit.last = Math.max(visit.last, visit.high) + 1;
      const numbers = [...iteration, visit.last];
      for (const other of around) other.visit.high = Math.max(other.visit.high, numbers[other.position] ?? 0);
    },

    /** Where the task stands that was begun. */
    place(at: number): { iteration: number[]; around: readonly Around[] } {
      const visit = visits.get(at) ?? { last: 0, high: 0 };
      return visit.last > 0
        ? { iteration: [...iteration, visit.last], around }
        : { iteration, around: [...around, { position: iteration.length, visit }] };
    },

    known: (): [number, Visit][] => [...visits],
  };
}
