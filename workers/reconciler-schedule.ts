import { type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client';
import { PLATFORM_QUEUE, RECONCILER_SCHEDULE, workflowTypes } from '../domain/names.ts';

/** Half of the 30 s within which what was killed at the wrong moment is set right. */
const EVERY = '15 seconds';

export const reconcilerSchedule = {
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
