import { stringify } from 'csv-stringify/sync';
import type { TelemetryPoint } from '../../domain/neosyntis/telemetry.ts';

const readingColumns = [
  'timestamp',
  'metric_name',
  'value',
  'series_id',
  'workflow_id',
  'dataset_id',
  'device_id',
  'tags',
] as const;
const bucketColumns = ['timestamp', 'metric_name', 'value', 'count', 'series_id'] as const;

/** RFC 4180 with a header. What is null is an empty field, tags are JSON. */
export function csvOf(points: readonly TelemetryPoint[], isAggregated: boolean): string {
  const columns = isAggregated ? bucketColumns : readingColumns;
  return stringify([...points], { header: true, columns: [...columns], record_delimiter: '\r\n' });
}

/** Whether somebody wants CSV: by `format`, or else by the first type of `Accept` that we have. */
export function wantsCsv(format: 'json' | 'csv' | undefined, accept: string): boolean {
  if (format !== undefined) return format === 'csv';
  const first = accept.split(',').map((type) => type.split(';')[0]?.trim().toLowerCase());
  return (
    first.find((type) => type === 'text/csv' || type === 'application/json' || type === '*/*') === 'text/csv'
  );
}
