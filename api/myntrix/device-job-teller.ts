import { tellDeviceJobs } from '../../drivers/devices/jobs/tell.ts';
import type { Logger } from '../../logs.ts';
import type { Temporal } from '../temporal/client.ts';

/** Wakes the workflow of a device's jobs; a word that is lost is said again by the reconciler. */
export const createDeviceJobTeller =
  (temporal: Pick<Temporal, 'call'>, log: Logger) =>
  async (deviceId: string): Promise<void> => {
    try {
      await temporal.call((client) => tellDeviceJobs(client, deviceId));
    } catch (error) {
      log.warn({ err: error, deviceId }, 'the jobs of a device are looked at later');
    }
  };
