import type {
  DeviceJobEnd,
  DeviceJobLook,
  DeviceJobOrder,
  DeviceJobWanted,
} from '../../../domain/myntrix/device-jobs.ts';
import type { DeviceJobs } from '../../../drivers/devices/jobs/port.ts';
import { beating, holding } from '../held.ts';

/** What Temporal asks of the jobs of a host's devices. A job goes on while nobody follows it. */
export const createDeviceJobHostActivities = (jobs: DeviceJobs) => ({
  followDeviceJob: (order: DeviceJobOrder): Promise<DeviceJobEnd> =>
    holding(jobs, order.id, (signal) => jobs.follow(order, signal)),
  lookAtDeviceJob: (order: DeviceJobOrder): Promise<DeviceJobLook> => beating(() => jobs.look(order)),
  async steerDeviceJob({ id, attempt, wanted }: SteeredJob): Promise<void> {
    jobs.steer(id, attempt, wanted);
  },
  abortDeviceJob: (order: DeviceJobOrder): Promise<{ sent: boolean; reason?: string }> =>
    beating(() => jobs.abort(order)),
});

export interface SteeredJob {
  id: string;
  attempt: number;
  wanted: DeviceJobWanted;
}

export type DeviceJobHostActivities = ReturnType<typeof createDeviceJobHostActivities>;
