import { type Client, type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { PLATFORM_QUEUE, RETENTION_SCHEDULE, workflowTypes } from '../domain/names.ts';

/** A pass that did not finish goes on this much later. */
const EVERY = '10 minutes';

export const retentionSchedule = {
  scheduleId: RETENTION_SCHEDULE,
  spec: { intervals: [{ every: EVERY }] },
  policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
  action: {
    type: 'startWorkflow',
    workflowType: workflowTypes.retention,
    taskQueue: PLATFORM_QUEUE,
    workflowId: RETENTION_SCHEDULE,
    workflowRunTimeout: '5 minutes',
  },
} satisfies ScheduleOptions;

const DAY_SECONDS = 86_400;

/**
 * Makes Temporal keep what ended as long as the settings say; a dev server forgets it after a day otherwise.
 * @returns what hinders it: on some servers (Temporal Cloud) the namespace is not ours to change
 */
export async function ensureNamespaceRetention(
  { workflowService }: Pick<Client, 'workflowService'>,
  namespace: string,
  days: number,
): Promise<unknown> {
  if (days === 0) return undefined;
  try {
    const { config } = await workflowService.describeNamespace({ namespace });
    if (Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) === days * DAY_SECONDS) return undefined;
    await workflowService.updateNamespace({
      namespace,
      config: { workflowExecutionRetentionTtl: msToTs(days * DAY_SECONDS * 1_000) },
    });
    return undefined;
  } catch (error) {
    return error;
  }
}
