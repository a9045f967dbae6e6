import type { Sample } from '../../domain/myntrix/system-metrics.ts';
import type { Mocked } from '../../domain/system/access.ts';

type Real<T> = Omit<T, keyof Mocked>;

/** Processor and memory, as of now; per cents since the reading before. */
export type Base = Pick<
  Sample,
  | 'cpu_percent'
  | 'memory_percent'
  | 'memory_total'
  | 'memory_available'
  | 'cores'
  | 'load'
  | 'swap_total'
  | 'swap_used'
  | 'uptime_seconds'
>;

export type FileSystems = Pick<Sample['disk'], 'file_systems'>;

/** Counters since the machine was started, of all disks together; null where they cannot be told. */
export interface DiskBytes {
  read: number;
  written: number;
}

/** Counters since the interface was made. */
export interface InterfaceBytes {
  name: string;
  rx_bytes: number;
  tx_bytes: number;
}

/** One machine. Each reads it anew, and throws when it gave nothing. */
export interface MetricSources {
  base(): Promise<Base>;
  fileSystems(): Promise<FileSystems>;
  diskBytes(): Promise<DiskBytes | undefined>;
  interfaces(): Promise<InterfaceBytes[]>;
  processes(): Promise<Real<Sample['processes']>>;
  /** °C; undefined where there is no sensor, as in most virtual machines. */
  temperature(): Promise<number | undefined>;
}
