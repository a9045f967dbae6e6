import { scheduleIdOf } from '../../domain/names.ts';
import { settle, type WantedRows } from '../../drivers/schedules/settle.ts';
import { createTemporalCarrier } from '../../drivers/schedules/temporal.ts';
import type { Logger } from '../../logs.ts';
import type { Temporal } from './client.ts';

/**
 * Brings Temporal in line with the schedule of something whose row was just changed, after the commit. What fails
 * or takes too long is left to the reconciler: the row says what is wanted.
 */
export const createScheduleFollower =
  ({ temporal, wanted, log }: { temporal: Temporal; wanted: WantedRows; log: Logger }) =>
  async (subjectId: string): Promise<void> => {
    const id = scheduleIdOf(subjectId);
    try {
      if (!(await wanted.one(id))) return; // it never had one
      await temporal.call((client) => settle(id, wanted, createTemporalCarrier(client)));
    } catch (error) {
      log.warn({ err: error, scheduleId: id }, 'a schedule is not in line now; the reconciler does it');
    }
  };
