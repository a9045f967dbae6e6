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
import { createOrderReconciler } from './reconcile-orders.ts';

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

export const createDeviceReconciler = ({ database, client }: { database: Database; client: Client }) => {
  const action: DeviceAction = 'connect'; // the row says what is wanted; the word only says that something is
  return createOrderReconciler({
    client,
    store: createDeviceReports(database),
    workflowType: workflowTypes.device,
    workflowId: deviceWorkflowId,
    tell: (id, epoch, anew) => tellDevice(client, id, action, epoch, anew),
  });
};

export type DeviceActivities = ReturnType<typeof createDeviceActivities>;
