import type { Client } from '@temporalio/client';
import {
  createDeviceReports,
  type DeviceOutcome,
  type WantedDevice,
} from '../../../db/myntrix/device-reports.ts';
import type { Database } from '../../../db/orm.ts';
import { type DeviceAction, deviceWorkflowId, workflowTypes } from '../../../domain/names.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';
import { tellDevice } from '../../../drivers/devices/tell.ts';
import { runningExecutions, statusOf } from '../../../drivers/workflows/executions.ts';

/** An order whose word to the workflow was lost is said again after this long. */
const UNTAKEN_AFTER_MS = 3_000;

/** The database's side of a device's workflow. All are idempotent. */
export function createDeviceActivities({ database, bus }: { database: Database; bus: Bus }) {
  const store = createDeviceReports(database);
  const publish = createNews(bus).events;
  return {
    /** What is to be brought about now; null for a device that is gone. */
    takeDevice: async (id: string): Promise<WantedDevice | null> => (await store.take(id)) ?? null,
    async settleDevice(id: string, epoch: number, end: DeviceOutcome): Promise<void> {
      publish(await store.settle(id, epoch, end));
    },
    forgetDevice: (id: string): Promise<void> => store.forget(id),
  };
}

/** Tells workflows of orders that they were never told of, and begins those again that somebody ended. */
export const createDeviceReconciler = ({ database, client }: { database: Database; client: Client }) => {
  const store = createDeviceReports(database);
  const action: DeviceAction = 'connect'; // the row says what is wanted; the word only says that something is

  async function beginAgain(): Promise<void> {
    const held = await store.held(UNTAKEN_AFTER_MS);
    if (held.length === 0) return;
    const running = await runningExecutions(client, workflowTypes.device);
    for (const { id, epoch } of held)
      if (!running.has(deviceWorkflowId(id)) && (await statusOf(client, deviceWorkflowId(id))) !== 'RUNNING')
        await tellDevice(client, id, action, epoch, `-${Date.now()}`);
  }

  return async (): Promise<void> => {
    await store.freeOfDeletedHosts(UNTAKEN_AFTER_MS);
    for (const { id, epoch } of await store.untaken(UNTAKEN_AFTER_MS))
      await tellDevice(client, id, action, epoch);
    await beginAgain();
  };
};

export type DeviceActivities = ReturnType<typeof createDeviceActivities>;
