import { defineEntity, p } from '@mikro-orm/postgresql';
import { MINUTE_US } from '../../domain/neosyntis/telemetry-limits.ts';
import type { Database } from '../orm.ts';
import { prepared } from '../sql.ts';
import { createTelemetryPartitions, weekOf } from './telemetry-partitions.ts';

export const TelemetryReadingEntity = defineEntity({
  name: 'TelemetryReading',
  tableName: 'telemetry_readings',
  properties: { series: p.bigint('number').primary(), at: p.bigint('number').primary(), value: p.double() },
});

/** Readings by columns: of the series with this number, at this time in microseconds since 1970. */
export interface Columns {
  series: number[];
  at: number[];
  value: number[];
}

const NO_PARTITION = '23514';
const NO_SERIES = '23503';

/** A series that somebody knew is gone. */
export class SeriesGone extends Error {}

export type TelemetryWriter = ReturnType<typeof createTelemetryWriter>;

export function createTelemetryWriter(database: Database) {
  const partitions = createTelemetryPartitions(database);

  const write = async (columns: Columns): Promise<number> => {
    const minutes = minutesOf(columns);
    await partitions.ensure(new Set(minutes.at.map(weekOf)));
    const [found] = await prepared<{ n: string }>(
      database.em,
      'select telemetry_write(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::float8[]) as n',
      [minutes.series, minutes.at, columns.series, columns.at, columns.value].map(arrayText),
    );
    return Number(found?.n);
  };

  return {
    /**
     * Stores readings, no two of one series and time, and notes their minutes. All or nothing; twice is once.
     * @returns how many were new or had another value
     * @throws SeriesGone
     */
    async write(columns: Columns): Promise<number> {
      if (columns.at.length === 0) return 0;
      try {
        return await write(columns).catch((error) => {
          if (codeOf(error) !== NO_PARTITION) throw error;
          partitions.forget();
          return write(columns);
        });
      } catch (error) {
        if (codeOf(error) === NO_SERIES) throw new SeriesGone('', { cause: error });
        throw error;
      }
    },
  };
}

/** The driver would look at each number three times. */
const arrayText = (numbers: readonly number[]): string => `{${numbers.join(',')}}`;

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | undefined)?.code;

/** Minutes that have readings, each once, in the order in which everybody locks them. */
function minutesOf({ series, at }: Columns): { series: number[]; at: number[] } {
  const bySeries = new Map<number, Set<number>>();
  let lastSeries = -1;
  let minutes = new Set<number>();
  let lastMinute = -1;
  for (let n = 0; n < at.length; n++) {
    const no = series[n] ?? 0;
    const minute = Math.floor((at[n] ?? 0) / MINUTE_US);
    if (no === lastSeries && minute === lastMinute) continue;
    if (no !== lastSeries) {
      const known = bySeries.get(no);
      minutes = known ?? new Set();
      if (!known) bySeries.set(no, minutes);
    }
    minutes.add(minute);
    lastSeries = no;
    lastMinute = minute;
  }
  const found: { series: number[]; at: number[] } = { series: [], at: [] };
  for (const [no, own] of [...bySeries].sort(([a], [b]) => a - b))
    for (const minute of [...own].sort((a, b) => a - b)) {
      found.series.push(no);
      found.at.push(minute * MINUTE_US);
    }
  return found;
}
