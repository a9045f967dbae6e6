import { MESSAGE_DEVICE_JOBS } from '../domain/myntrix/device-jobs.ts';
import { topics } from '../domain/names.ts';
import type { Bus } from '../drivers/bus/port.ts';
import type { DeviceJobs } from '../drivers/devices/jobs/port.ts';
import { keepReporting } from './keep-reporting.ts';

/** What is told of a job is at most so old; a message that the bus lost is made up for by the next. */
const EVERY_MS = 1_000;

/** Tells how far the jobs of a host's devices are: at once what they begin or stop doing, and all of it every second. */
export const reportDeviceJobs = (bus: Bus, host: string, jobs: DeviceJobs): { stop(): void } =>
  keepReporting({
    bus,
    source: jobs,
    everyMs: EVERY_MS,
    most: MESSAGE_DEVICE_JOBS,
    send: (reports) => bus.publish(topics.hostDeviceJobs(host), { reports }),
  });
