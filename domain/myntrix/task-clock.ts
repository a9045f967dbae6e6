import type { Recurring } from '../system/schedules.ts';

/** When a schedule comes, which takes a library to know. */
export interface TaskClock {
  /** The first nominal time after one; nothing when none comes any more. */
  next(timing: Recurring, after: Date): Date | undefined;
  /** The nominal times from one to another, both included: the newest of them, when there are more than `limit`. */
  between(timing: Recurring, from: Date, to: Date, limit: number): Date[];
}
