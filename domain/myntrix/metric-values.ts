import type { HistoryMetric, Sample } from './system-metrics.ts';

/** What history keeps of a sample: null for what was not measured, made-up values among it. */
export function measured(sample: Sample): Record<HistoryMetric, number | null> {
  const { disk, network, processes } = sample;
  const base = sample.mocked ? undefined : sample;
  const interfaces = network.mocked ? [] : network.interfaces.filter(({ name }) => !/^lo\d*$/.test(name));
  return {
    cpu_percent: base?.cpu_percent ?? null,
    memory_percent: base?.memory_percent ?? null,
    memory_available: base?.memory_available ?? null,
    load_1: base?.load?.[0] ?? null,
    temperature: sample.temperature,
    disk_used_percent: disk.mocked ? null : fullest(disk.file_systems),
    disk_read_bytes_per_second: disk.read_bytes_per_second,
    disk_write_bytes_per_second: disk.write_bytes_per_second,
    network_rx_bytes_per_second: sum(interfaces.map((one) => one.rx_bytes_per_second)),
    network_tx_bytes_per_second: sum(interfaces.map((one) => one.tx_bytes_per_second)),
    processes: processes.mocked ? null : processes.total,
  };
}

const fullest = (fileSystems: Sample['disk']['file_systems']): number | null =>
  fileSystems.length === 0 ? null : Math.max(...fileSystems.map(({ used_percent }) => used_percent));

/** Of those that are known; null when none is. */
function sum(rates: readonly (number | null)[]): number | null {
  const known = rates.filter((rate) => rate !== null);
  return known.length === 0 ? null : known.reduce((total, rate) => total + rate, 0);
}
