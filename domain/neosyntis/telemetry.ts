import { type Static, Type } from 'typebox';
import { Id, literals, nullable, Time } from '../wire.ts';
import {
  BATCH_ROWS,
  METRIC_PATTERN,
  NAMED_ROWS,
  RAW_LIMIT,
  REFERENCE_PATTERN,
  TAG_LENGTH,
  TAG_PATTERN,
  TAGS,
} from './telemetry-limits.ts';

export const MetricName = Type.String({ pattern: METRIC_PATTERN, examples: ['bed.temperature'] });
const Reference = Type.String({ pattern: REFERENCE_PATTERN, examples: ['printer-1'] });
const TagValue = Type.String({ minLength: 1, maxLength: TAG_LENGTH });
const Tags = Type.Record(Type.String({ pattern: TAG_PATTERN }), TagValue, {
  maxProperties: TAGS,
  examples: [{ room: 'lab' }],
});

/** One reading as it is sent. Each row is checked by itself (telemetry-rows.ts): this is what they are documented as. */
export const SentReading = Type.Object({
  timestamp: Type.Union([Time, Type.Integer({ description: 'milliseconds since 1970' })]),
  metric_name: MetricName,
  value: Type.Number({ examples: [60.5] }),
  workflow_id: Type.Optional(nullable(Id)),
  dataset_id: Type.Optional(nullable(Reference)),
  device_id: Type.Optional(nullable(Reference)),
  tags: Type.Optional(nullable(Tags)),
});

export const exampleBatch = [
  {
    timestamp: '2026-11-21T09:30:00.000Z',
    metric_name: 'bed.temperature',
    value: 60.5,
    tags: { room: 'lab' },
  },
];

export const SentReadings = Type.Array(SentReading, { maxItems: BATCH_ROWS });

/** A reading whose row was right. */
export interface Reading {
  /** Microseconds since 1970. */
  atUs: number;
  metric: string;
  value: number;
  workflowId: string | null;
  datasetId: string | null;
  deviceId: string | null;
  /** By name, in order. */
  tags: readonly (readonly [string, string])[];
}

export interface RefusedRow {
  /** From 0: an item of the array, or a line of the text. */
  row: number;
  problem: string;
}

export const IngestAnswer = Type.Object(
  {
    accepted: Type.Integer({ description: 'new, or with another value than was stored, which they replace' }),
    duplicates: Type.Integer({ description: 'stored already, with the same value' }),
    refused: Type.Integer({ description: 'how many were refused' }),
    rejected: Type.Array(
      Type.Object({
        row: Type.Integer({ minimum: 0, description: 'from 0: an item of the array, or a line of the text' }),
        problem: Type.String(),
      }),
      { maxItems: NAMED_ROWS, description: `the first ${NAMED_ROWS} that were refused` },
    ),
  },
  { $id: 'TelemetryIngestAnswer' },
);
export type IngestAnswer = Static<typeof IngestAnswer>;

export const precisions = ['ns', 'us', 'ms', 's'] as const;
export type Precision = (typeof precisions)[number];

export const aggregations = [
  'avg',
  'min',
  'max',
  'sum',
  'count',
  'p50',
  'p95',
  'p99',
  'first',
  'last',
] as const;
export type Aggregation = (typeof aggregations)[number];

export const fills = ['none', 'null', 'previous', 'linear', '0'] as const;
export type Fill = (typeof fills)[number];

const references = {
  metric_name: Type.Optional(MetricName),
  workflow_id: Type.Optional(Id),
  dataset_id: Type.Optional(Reference),
  device_id: Type.Optional(Reference),
  tag: Type.Optional(
    Type.Array(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_.-]{0,63}:.{1,200}$', maxLength: 265 }), {
      maxItems: TAGS,
      description: '`name:value`; several times for several tags',
    }),
  ),
};

export const TelemetryQuery = Type.Object(
  {
    ...references,
    from: Type.Optional(Time),
    to: Type.Optional(Time),
    aggregation: Type.Optional(literals(aggregations)),
    bucket: Type.Optional(
      Type.String({ pattern: '^[1-9][0-9]{0,7}[smhd]?$', description: 'seconds, or as in 30s, 5m, 1h, 1d' }),
    ),
    fill: Type.Optional(literals(fills)),
    group_by: Type.Optional(literals(['series'])),
    format: Type.Optional(literals(['json', 'csv'])),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: RAW_LIMIT })),
    cursor: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,16}_[0-9]{1,15}$',
        description: 'from the Link header of the page before',
      }),
    ),
  },
  { additionalProperties: false },
);
export type TelemetryQuery = Static<typeof TelemetryQuery>;

/** Which series are meant. */
export type SeriesFilter = Pick<TelemetryQuery, keyof typeof references>;

const seriesFields = {
  metric_name: MetricName,
  workflow_id: nullable(Id),
  dataset_id: nullable(Reference),
  device_id: nullable(Reference),
  tags: Tags,
};

/** A reading as it was sent, or what those of a bucket come to. */
export const TelemetryPoint = Type.Object(
  {
    timestamp: Type.String({
      format: 'date-time',
      description: 'of the reading, or of the beginning of its bucket',
      examples: ['2026-11-21T09:30:00.000Z'],
    }),
    metric_name: MetricName,
    value: nullable(
      Type.Number({ description: 'null only where fill=null, and where nothing is to fill from' }),
    ),
    count: Type.Optional(Type.Integer({ minimum: 0, description: 'readings of the bucket' })),
    series_id: Type.Optional(Id),
    workflow_id: Type.Optional(seriesFields.workflow_id),
    dataset_id: Type.Optional(seriesFields.dataset_id),
    device_id: Type.Optional(seriesFields.device_id),
    tags: Type.Optional(Tags),
  },
  { $id: 'TelemetryPoint' },
);
export type TelemetryPoint = Static<typeof TelemetryPoint>;

export const SeriesQuery = Type.Object(
  {
    ...references,
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    cursor: Type.Optional(Id),
  },
  { additionalProperties: false },
);

/** Days that readings of a series are kept; 0 is for ever. */
const RetentionDays = nullable(
  Type.Integer({
    minimum: 0,
    maximum: 3_650,
    description: 'null: as VAREON_KEEP_TELEMETRY_DAYS says; 0: for ever',
  }),
);

export const TelemetrySeries = Type.Object(
  {
    id: Id,
    ...seriesFields,
    owner_id: Type.Union([Id, Type.Null()], { description: 'null: a device’s, which is the installation’s' }),
    retention_days: RetentionDays,
    created_at: Time,
  },
  { $id: 'TelemetrySeries' },
);
export type TelemetrySeries = Static<typeof TelemetrySeries>;

export const SeriesChange = Type.Object({ retention_days: RetentionDays }, { additionalProperties: false });
