import { loadavg } from 'node:os';
import { currentLoad, mem, time } from 'systeminformation';
import { SAMPLE_CORES_LIMIT } from '../../../domain/myntrix/system-metrics.ts';
import type { Base } from '../port.ts';
import { percent } from '../round.ts';

/** Memory that is available is what programs can get without swapping, as Linux tells it. */
export async function readBase(): Promise<Base> {
  const [load, memory] = await Promise.all([currentLoad(), mem()]);
  if (load.cpus.length === 0 || !Number.isFinite(load.currentLoad))
    throw new Error('the system tells nothing of its processor');
  if (!(memory.total > 0)) throw new Error('the system tells nothing of its memory');
  return {
    cpu_percent: percent(load.currentLoad),
    memory_percent: percent(((memory.total - memory.available) / memory.total) * 100),
    memory_total: memory.total,
    memory_available: memory.available,
    cores: load.cpus.slice(0, SAMPLE_CORES_LIMIT).map((core) => percent(core.load)),
    load: process.platform === 'win32' ? null : loadavg().map((value) => Math.round(value * 100) / 100),
    swap_total: memory.swaptotal,
    swap_used: memory.swapused,
    uptime_seconds: Math.round(time().uptime),
  };
}
