import type { TaskClock } from '../../domain/myntrix/task-clock.ts';
import { nextTimes } from './times.ts';

/** More are not gone through: an hour of seconds takes a tenth of a second. */
const LOOK = 10_000;
const PIECE = 100;

export const taskClock: TaskClock = {
  next: (timing, after) => nextTimes(timing, after, 1)[0],
  between(timing, from, to, limit) {
    const found: Date[] = [];
    let after = new Date(+from - 1);
    while (found.length < LOOK) {
      const piece = nextTimes(timing, after, PIECE);
      const within = piece.filter((time) => +time <= +to);
      found.push(...within);
      const last = within.at(-1);
      if (within.length < PIECE || !last) break;
      after = last;
    }
    return found.slice(-limit);
  },
};
