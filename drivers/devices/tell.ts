import type { Client } from '@temporalio/client';
import { type DeviceAction, deviceWorkflowId, workflowTypes } from '../../domain/names.ts';
import { tellOrder } from '../workflows/tell.ts';

/** Tells a device's workflow of an order. @param anew as ToldOrder has it */
export const tellDevice = (
  client: Client,
  id: string,
  action: DeviceAction,
  epoch: number,
  anew?: string,
): Promise<void> =>
  tellOrder(
    client,
    { id, action, epoch, ...(anew === undefined ? {} : { anew }) },
    { type: workflowTypes.device, workflowId: deviceWorkflowId(id), args: [{ deviceId: id, taken: 0 }] },
  );
