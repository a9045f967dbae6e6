import type { Client } from '@temporalio/client';
import { deviceJobsWorkflowId, PLATFORM_QUEUE, wakeSignal, workflowTypes } from '../../../domain/names.ts';

/** Tells the workflow of a device's jobs that there is something new, and makes it where there is none. */
export async function tellDeviceJobs(client: Client, deviceId: string): Promise<void> {
  await client.workflow.signalWithStart(workflowTypes.deviceJobs, {
    workflowId: deviceJobsWorkflowId(deviceId),
    taskQueue: PLATFORM_QUEUE,
    args: [{ deviceId }],
    signal: wakeSignal,
    signalArgs: [],
  });
}
