import type { WantedSchedule } from '../../domain/system/schedules.ts';

/** What Temporal has of a schedule. */
export interface Carried {
  /** Of all that makes it what it is: another one is another schedule. */
  digest: string | undefined;
}

/** What makes ticks come: Temporal, by its schedules and by a workflow that waits (decisions/038). */
export interface ScheduleCarrier {
  /** Makes it be as wanted, whatever is there; doing it twice is the same. */
  apply(wanted: WantedSchedule): Promise<void>;
  /** Takes away whatever is there under this id. */
  remove(id: string): Promise<void>;
  /** All that is there. It may lag behind by moments: look again before something is taken for wrong. */
  carried(): Promise<Map<string, Carried[]>>;
  /** What `carried` has for a schedule that is as wanted. */
  expected(wanted: WantedSchedule): Carried[];
}
