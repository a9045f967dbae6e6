import type { Client } from '@temporalio/client';
import { createDeviceJobOrders, type DeviceJobTask } from '../../../db/myntrix/device-job-orders.ts';
import { createDeviceJobReports } from '../../../db/myntrix/device-job-reports.ts';
import type { Database } from '../../../db/orm.ts';
import type { DeviceJobEnd, DeviceJobLook, DeviceJobWanted } from '../../../domain/myntrix/device-jobs.ts';
import { deviceJobsWorkflowId, workflowTypes } from '../../../domain/names.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';
import { tellDeviceJobs } from '../../../drivers/devices/jobs/tell.ts';
import { runningExecutions } from '../../../drivers/workflows/executions.ts';

/** A word that was lost is said again after this long. */
const UNHEARD_AFTER_MS = 3_000;

/** The database's side of devices' jobs. All are idempotent. */
export function createDeviceJobActivities({ database, bus }: { database: Database; bus: Bus }) {
  const orders = createDeviceJobOrders(database);
  const store = createDeviceJobReports(database);
  const publish = createNews(bus).events;
  return {
    /** What is to be done for a device now; null when nothing is. */
    async takeDeviceJob(deviceId: string): Promise<DeviceJobTask | null> {
      const { task, events } = await orders.take(deviceId);
      publish(events);
      return task;
    },
    /** Null for a job that is gone. */
    wantedOfDeviceJob: async (id: string): Promise<{ wanted: DeviceJobWanted; epoch: number } | null> =>
      (await orders.wanted(id)) ?? null,
    async settleDeviceJob(id: string, attempt: number, end: DeviceJobEnd): Promise<void> {
      publish(await store.settle(id, attempt, end));
    },
    async loseDeviceJob(id: string, attempt: number, reason: string): Promise<void> {
      publish(await store.lose(id, attempt, reason));
    },
    async foundDeviceJob(id: string, attempt: number, look: DeviceJobLook): Promise<void> {
      publish(await store.found(id, attempt, look));
    },
    async giveUpDeviceJob(id: string, attempt: number, reason: string): Promise<void> {
      publish(await store.giveUp(id, attempt, reason));
    },
    async abortedDeviceJob(
      id: string,
      attempt: number,
      safe: { sent: boolean; reason?: string },
    ): Promise<void> {
      publish(await store.aborted(id, attempt, safe));
    },
  };
}

/** Wakes workflows that were not told of what there is to do, and begins those again that somebody ended. */
export const createDeviceJobReconciler = ({ database, client }: { database: Database; client: Client }) => {
  const orders = createDeviceJobOrders(database);
  return async (): Promise<void> => {
    const open = await orders.open(UNHEARD_AFTER_MS);
    if (open.length === 0) return;
    const running = await runningExecutions(client, workflowTypes.deviceJobs);
    for (const { deviceId, isUnheard } of open)
      if (isUnheard || !running.has(deviceJobsWorkflowId(deviceId))) await tellDeviceJobs(client, deviceId);
  };
};

export type DeviceJobActivities = ReturnType<typeof createDeviceJobActivities>;
