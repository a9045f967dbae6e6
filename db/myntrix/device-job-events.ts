import type { DeviceJobType } from '../../domain/myntrix/device-jobs.ts';
import type { Json } from '../../domain/wire.ts';
import type { NewEvent } from '../system/events.ts';

/** What `/ws/events` tells of a device's job; it is the installation's, as the device is. */
export const deviceJobEvent = (
  job: { id: string; deviceId: string; type: DeviceJobType; status: string; progress: number },
  what: string = job.status,
  more: { [name: string]: Json } = {},
): NewEvent => ({
  topic: 'jobs',
  type: `job.${what}`,
  source: '/myntrix/jobs',
  subject: job.id,
  ownerId: null,
  data: {
    id: job.id,
    status: job.status,
    progress: job.progress,
    type: job.type,
    device_id: job.deviceId,
    ...more,
  },
});
