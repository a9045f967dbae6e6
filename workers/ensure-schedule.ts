import { type Client, ScheduleAlreadyRunning, type ScheduleOptions } from '@temporalio/client';

/** A schedule that the platform makes for itself. */
export type OwnSchedule = ScheduleOptions & { action: { type: 'startWorkflow' } };

/** Makes a schedule, or brings that of an earlier version up to date; a pause that somebody set stays. */
export async function ensureSchedule(client: Client, schedule: OwnSchedule): Promise<void> {
  try {
    await client.schedule.create(schedule);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const { spec, policies, action } = schedule;
    await client.schedule.getHandle(schedule.scheduleId).update(({ state }) => ({
      spec,
      ...(policies ? { policies } : {}),
      action,
      state,
    }));
  }
}
