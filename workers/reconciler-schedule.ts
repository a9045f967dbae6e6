import { type Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import { PLATFORM_QUEUE, RECONCILER_SCHEDULE, workflowTypes } from '../domain/names.ts';

/** Half of the 30 s within which what was killed at the wrong moment is set right. */
const EVERY = '15 seconds';

/** Makes the reconciler's schedule once an installation. */
export async function ensureReconciler(client: Client): Promise<void> {
  try {
    await client.schedule.create({
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
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error; // another worker, or an earlier start, made it
  }
}
