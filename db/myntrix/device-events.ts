import type { Device } from '../../domain/myntrix/devices.ts';
import type { NewEvent } from '../system/events.ts';

/** What is told of a device. */
export type ToldDevice = Pick<
  Device,
  | 'id'
  | 'name'
  | 'host'
  | 'status'
  | 'statusReason'
  | 'desired'
  | 'firmwareVersion'
  | 'emergencyNote'
  | 'mocked'
>;

/** What `/ws/events` tells of a device: what a list shows of it, without its configuration. */
export const deviceEvent = (device: ToldDevice, what: string = device.status): NewEvent => {
  const { id, name, host, status, statusReason, desired, firmwareVersion, emergencyNote, mocked } = device;
  return {
    topic: 'devices',
    type: `device.${what}`,
    source: '/myntrix/devices',
    subject: id,
    ownerId: null,
    data: { id, name, host, status, statusReason, desired, firmwareVersion, emergencyNote, mocked },
  };
};
