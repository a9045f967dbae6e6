import { cpuTemperature } from 'systeminformation';
import type { MetricSources } from '../port.ts';
import { readBase } from './base.ts';
import { readDiskBytes, readFileSystems } from './disks.ts';
import { readInterfaces } from './network.ts';
import { readProcesses } from './processes.ts';

/** The machine that this process runs on. */
export const machine: MetricSources = {
  base: readBase,
  fileSystems: readFileSystems,
  diskBytes: readDiskBytes,
  interfaces: readInterfaces,
  processes: readProcesses,
  temperature: async () => (await cpuTemperature()).main ?? undefined,
};
