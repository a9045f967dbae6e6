import { type DeviceJobReport, MESSAGE_DEVICE_JOBS } from '../domain/myntrix/device-jobs.ts';
import { topics } from '../domain/names.ts';
import type { Bus } from '../drivers/bus/port.ts';
import type { DeviceJobs } from '../drivers/devices/jobs/port.ts';

/** What is told of a job is at most so old; a message that the bus lost is made up for by the next. */
const EVERY_MS = 1_000;

/** Tells how far the jobs of a host's devices are: at once what they begin or stop doing, and all of it every second. */
export function reportDeviceJobs(bus: Bus, host: string, jobs: DeviceJobs): { stop(): void } {
  const send = (reports: DeviceJobReport[]): void => {
    for (let at = 0; at < reports.length; at += MESSAGE_DEVICE_JOBS)
      bus.publish(topics.hostDeviceJobs(host), { reports: reports.slice(at, at + MESSAGE_DEVICE_JOBS) });
  };
  const all = (): void => send(jobs.reports());
  const forget = jobs.onChange((report) => send([report]));
  bus.onConnect(all);
  const timer = setInterval(all, EVERY_MS);
  return {
    stop() {
      forget();
      clearInterval(timer);
    },
  };
}
