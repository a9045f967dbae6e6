import type { Sample } from '../../domain/myntrix/system-metrics.ts';
import type { Mocked } from '../../domain/system/access.ts';
import type { SystemAccess } from './access.ts';
import { mockBase, mockFileSystems, mockInterfaces, mockProcesses } from './mocks.ts';
import type { InterfaceBytes, MetricSources } from './port.ts';

/** What needs programs to be started, and changes slowly. */
const SLOW_EVERY_MS = 60_000;

export interface SystemMetricsOptions {
  sources: MetricSources;
  access: SystemAccess;
  intervalSeconds: number;
}

/** Reads one machine again and again; rates are of the time since the sample before. */
export function createSystemMetrics({ sources, access, intervalSeconds }: SystemMetricsOptions) {
  const fileSystems = slowly(() => access.read('file_system', sources.fileSystems, mockFileSystems));
  const processes = slowly(() => access.read('processes', sources.processes, mockProcesses));
  // Having no sensor is nothing to be warned of.
  const temperature = slowly(() => sources.temperature().catch(() => undefined));
  let before: { at: number; disk: Counters | undefined; interfaces: Map<string, Counters> } | undefined;
  let seq = 0;

  async function sample(): Promise<{ seq: number; sample: Sample }> {
    const [base, disks, disk, network, counted, celsius] = await Promise.all([
      access.read('system_metrics', sources.base, mockBase),
      fileSystems(),
      sources.diskBytes().catch(() => undefined),
      access.read('network_interfaces', async () => ({ found: await sources.interfaces() }), mockInterfaces),
      processes(),
      temperature(),
    ]);
    const at = performance.now();
    const last = before;
    const seconds = last ? (at - last.at) / 1_000 : 0;
    const diskCounters: Counters | undefined = disk && [disk.read, disk.written];
    const [read, written] = rates(last?.disk, diskCounters, seconds);
    const { found, ...networkMocked } = network;
    before = {
      at,
      disk: diskCounters,
      interfaces: new Map(found.map((one) => [one.name, countersOf(one)])),
    };
    return {
      seq: ++seq,
      sample: {
        ...base,
        temperature: celsius ?? null,
        disk: { ...disks, read_bytes_per_second: read, write_bytes_per_second: written },
        network: {
          interfaces: found.map((one) => {
            const [rx, tx] = rates(last?.interfaces.get(one.name), countersOf(one), seconds);
            return { ...one, rx_bytes_per_second: rx, tx_bytes_per_second: tx };
          }),
          ...(networkMocked satisfies Mocked),
        },
        processes: counted,
        interval_seconds: intervalSeconds,
        fallbacks: access.fallbacks(),
      },
    };
  }
  return { sample, intervalSeconds };
}

export type SystemMetricsSampler = ReturnType<typeof createSystemMetrics>;

type Counters = readonly [number, number];

const countersOf = ({ rx_bytes, tx_bytes }: InterfaceBytes): Counters => [rx_bytes, tx_bytes];

/** Nothing without an earlier reading; a counter that fell has begun anew. */
function rates(
  before: Counters | undefined,
  now: Counters | undefined,
  seconds: number,
): [number | null, number | null] {
  if (!before || !now || seconds <= 0) return [null, null];
  const rate = (index: 0 | 1) => Math.round(Math.max(0, now[index] - before[index]) / seconds);
  return [rate(0), rate(1)];
}

/** The last value, read anew when it is a minute old. */
function slowly<T>(read: () => Promise<T>): () => Promise<T> {
  let kept: { value: Promise<T>; at: number } | undefined;
  return () => {
    const now = performance.now();
    if (!kept || now - kept.at >= SLOW_EVERY_MS) kept = { value: read(), at: now };
    return kept.value;
  };
}
