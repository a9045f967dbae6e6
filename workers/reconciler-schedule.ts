import {
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import { PLATFORM_QUEUE, RECONCILER_SCHEDULE, workflowTypes } from '../domain/names.ts';

/** Half of the 30 s within which what was killed at the wrong moment is set right. */
const EVERY = '15 seconds';

const schedule = {
  scheduleId: RECONCILER_SCHEDULE,
  spec: { intervals: [{ every: EVERY }] },
  policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
  action: {
    type: 'startWorkflow',
    workflowType: workflowTypes.reconcile,
    taskQueue: PLATFORM_QUEUE,
    workflowId: RECONCILER_SCHEDULE,
    workflowRunTimeout: '2 minutes',
  },
} satisfies ScheduleOptions;

/** Makes the reconciler's schedule, or brings that of an earlier version up to date. */
export async function ensureReconciler(client: Client): Promise<void> {
  try {
    await client.schedule.create(schedule);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const { spec, policies, action } = schedule;
    await client.schedule
      .getHandle(RECONCILER_SCHEDULE)
      .update(({ state }) => ({ spec, policies, action, state }));
  }
}
