import { type Static, Type } from 'typebox';
import { Fallback, mockedFields } from '../system/access.ts';
import { HostName } from '../system/hosts.ts';
import { nullable, Time } from '../wire.ts';

const Percent = Type.Number({ minimum: 0, maximum: 100, examples: [12.5] });
const Bytes = Type.Number({ minimum: 0 });
const Rate = nullable(Type.Number({ minimum: 0, description: 'null in the first sample' }));
const Name = Type.String({ maxLength: 255 });

/** Entries of each list of a sample: the first ones when a machine has more. */
export const SAMPLE_LIST_LIMIT = 64;
export const SAMPLE_CORES_LIMIT = 1_024;

/** Without a newer sample for so many of its intervals, and this long at least, a host's values are stale. */
export const STALE_INTERVALS = 3;
export const STALE_MIN_SECONDS = 10;

const sampleFields = {
  cpu_percent: Percent,
  memory_percent: Percent,
  memory_total: Bytes,
  memory_available: Bytes,
  ...mockedFields,
  cores: Type.Array(Percent, { maxItems: SAMPLE_CORES_LIMIT, description: 'per cent of each core' }),
  load: nullable(
    Type.Array(Type.Number({ minimum: 0 }), {
      minItems: 3,
      maxItems: 3,
      description: 'averages of 1, 5 and 15 minutes; null where the system has none',
    }),
  ),
  swap_total: Bytes,
  swap_used: Bytes,
  uptime_seconds: Type.Number({ minimum: 0 }),
  temperature: nullable(Type.Number({ description: '°C of the processor; null where it cannot be read' })),
  disk: Type.Object({
    file_systems: Type.Array(
      Type.Object({ mount: Name, type: Name, size: Bytes, available: Bytes, used_percent: Percent }),
      { maxItems: SAMPLE_LIST_LIMIT },
    ),
    read_bytes_per_second: Rate,
    write_bytes_per_second: Rate,
    ...mockedFields,
  }),
  network: Type.Object({
    interfaces: Type.Array(
      Type.Object({
        name: Name,
        rx_bytes: Bytes,
        tx_bytes: Bytes,
        rx_bytes_per_second: Rate,
        tx_bytes_per_second: Rate,
      }),
      { maxItems: SAMPLE_LIST_LIMIT },
    ),
    ...mockedFields,
  }),
  processes: Type.Object({ total: Type.Integer({ minimum: 0 }), ...mockedFields }),
  interval_seconds: Type.Number({ exclusiveMinimum: 0, maximum: 3_600, examples: [5] }),
};

/** What a host measured of its machine, and what it could not measure. */
const Sample = Type.Object({
  ...sampleFields,
  fallbacks: Type.Array(Fallback, { maxItems: 20 }),
});
export type Sample = Static<typeof Sample>;

/** What a host sends over the bus; the name is the topic's. */
export const SampleMessage = Type.Object({
  /** Of the lease that the host holds, as in its announcements. */
  generation: Type.Integer({ minimum: 0 }),
  /** Grows with each sample of one life of the host. */
  seq: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  sample: Sample,
});
export type SampleMessage = Static<typeof SampleMessage>;

/** The machine of one host. `timestamp` is when the sample came in, by the database's clock. */
export const SystemMetrics = Type.Object(
  {
    host: Type.String({ examples: ['local'] }),
    timestamp: Time,
    stale: Type.Boolean({ description: 'the host is lost or silent: these are its last values' }),
    ...sampleFields,
  },
  { $id: 'SystemMetrics' },
);
export type SystemMetrics = Static<typeof SystemMetrics>;

export const HostSummary = Type.Object(
  {
    host: Type.String({ examples: ['local'] }),
    status: Type.Unsafe<'online' | 'offline'>(Type.Enum(['online', 'offline'])),
    timestamp: nullable(Time),
    stale: Type.Boolean(),
    cpu_percent: nullable(Percent),
    memory_percent: nullable(Percent),
    mocked: Type.Optional(Type.Literal(true)),
  },
  { $id: 'HostMetricsSummary' },
);
export type HostSummary = Static<typeof HostSummary>;

/** The seed's fields of one host at the top, and every host in short. */
export const SystemMetricsAnswer = Type.Object(
  { ...SystemMetrics.properties, hosts: Type.Array(HostSummary) },
  { $id: 'SystemMetricsAnswer' },
);
export type SystemMetricsAnswer = Static<typeof SystemMetricsAnswer>;

/** What history keeps of each sample. Rows hold them in this order: it only ever grows at its end. */
export const historyMetrics = [
  'cpu_percent',
  'memory_percent',
  'memory_available',
  'load_1',
  'temperature',
  'disk_used_percent',
  'disk_read_bytes_per_second',
  'disk_write_bytes_per_second',
  'network_rx_bytes_per_second',
  'network_tx_bytes_per_second',
  'processes',
] as const;
export type HistoryMetric = (typeof historyMetrics)[number];

const metricValues = () =>
  Object.fromEntries(historyMetrics.map((name) => [name, nullable(Type.Number())])) as Record<
    HistoryMetric,
    ReturnType<typeof nullable<ReturnType<typeof Type.Number>>>
  >; // fromEntries forgets the names

export const HistoryPoint = Type.Object(
  {
    timestamp: Time,
    ...metricValues(),
    min: Type.Object(metricValues()),
    max: Type.Object(metricValues()),
  },
  { $id: 'SystemMetricsPoint' },
);
export type HistoryPoint = Static<typeof HistoryPoint>;

export const MetricsHistory = Type.Object(
  {
    host: Type.String({ examples: ['local'] }),
    from: Time,
    to: Time,
    step: Type.Integer({ description: 'seconds; larger than asked where less is not kept' }),
    points: Type.Array(HistoryPoint, {
      description: 'oldest first: averages at the top. A time without samples has no point',
    }),
  },
  { $id: 'SystemMetricsHistory' },
);
export type MetricsHistory = Static<typeof MetricsHistory>;

export const HostQuery = Type.Optional(HostName);
