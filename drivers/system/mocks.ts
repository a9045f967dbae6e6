import type { Sample } from '../../domain/myntrix/system-metrics.ts';
import type { Base, FileSystems, InterfaceBytes } from './port.ts';

/** What stands in the place of what cannot be read: the same everywhere, so that nobody takes it for something. */
const GIB = 1024 ** 3;

export const mockBase = (): Base => ({
  cpu_percent: 25,
  memory_percent: 50,
  memory_total: 8 * GIB,
  memory_available: 4 * GIB,
  cores: [25, 25],
  load: [0.5, 0.5, 0.5],
  swap_total: 0,
  swap_used: 0,
  uptime_seconds: 3_600,
});

export const mockFileSystems = (): FileSystems => ({
  file_systems: [{ mount: '/', type: 'mock', size: 100 * GIB, available: 60 * GIB, used_percent: 40 }],
});

export const mockInterfaces = (): { found: InterfaceBytes[] } => ({
  found: [{ name: 'mock0', rx_bytes: 1_000_000, tx_bytes: 1_000_000 }],
});

export const mockProcesses = () => ({ total: 100 });

/** For a host that has sent nothing. */
export const mockSample = (): Omit<Sample, 'fallbacks'> => ({
  ...mockBase(),
  temperature: null,
  disk: { ...mockFileSystems(), read_bytes_per_second: null, write_bytes_per_second: null },
  network: { interfaces: [] },
  processes: mockProcesses(),
  interval_seconds: 5,
});
