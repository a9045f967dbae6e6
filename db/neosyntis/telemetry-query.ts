import type { Aggregation } from '../../domain/neosyntis/telemetry.ts';
import type { AggregatePlan } from '../../domain/neosyntis/telemetry-plan.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';
import { bucketOf, lineOf, partsOf } from './telemetry-parts.ts';
import { percentiles, type SeriesBucket } from './telemetry-percentiles.ts';

export interface RawReading {
  series: number;
  /** Microseconds since 1970. */
  atUs: number;
  value: number;
}

const shares: Partial<Record<Aggregation, number>> = { p50: 0.5, p95: 0.95, p99: 0.99 };

/** What a bucket's parts come to. */
const merged: Partial<Record<Aggregation, string>> = {
  avg: 'sum(sum) / sum(n)',
  min: 'min(lo)',
  max: 'max(hi)',
  sum: 'sum(sum)',
  count: 'sum(n)',
  // Of several series at the same time the newest series counts.
  first: '(array_agg(first order by first_at, series))[1]',
  last: '(array_agg(last order by last_at desc, series desc))[1]',
};

export type TelemetryQueries = ReturnType<typeof createTelemetryQueries>;

export function createTelemetryQueries({ em }: Database) {
  return {
    /** Readings by time, then series, after a place in that order. */
    async readings(
      series: readonly number[],
      range: { fromUs: number; toUs: number; after?: { atUs: number; series: number } },
      limit: number,
    ): Promise<RawReading[]> {
      const { atUs, series: last } = range.after ?? { atUs: range.fromUs, series: -1 };
      // Each series by itself: its index gives them in order, and only as many as are shown.
      return rows(
        em,
        `select s.no::float8 as series, r.at::float8 as "atUs", r.value
         from unnest(?::bigint[]) as s (no) cross join lateral (
           select at, value from telemetry_readings
           where series = s.no and at >= ?::bigint and at < ?::bigint and (at > ?::bigint or s.no > ?::bigint)
           order by at limit ${limit}) r
         order by r.at, s.no limit ${limit}`,
        [`{${series.join(',')}}`, atUs, range.toUs, atUs, last],
      );
    },

    /**
     * What the readings of each bucket come to, oldest first; buckets without any are left out. Rolled-up minutes and
     * hours stand for theirs; those that have newer readings are looked at themselves, in the same snapshot, so that
     * an answer has all that was stored before the question. Percentiles are within 1%, in buckets of less than a
     * minute those of the readings.
     */
    async buckets(
      series: readonly number[],
      plan: AggregatePlan,
      isBySeries: boolean,
    ): Promise<SeriesBucket[]> {
      if (series.length === 0) return [];
      const share = shares[plan.aggregation];
      if (share !== undefined && plan.tier !== 'readings')
        return percentiles(em, series, plan, isBySeries, share);
      const statement = share === undefined ? plainly(plan, isBySeries) : exactly(plan, isBySeries, share);
      return rows(em, statement, [`{${series.join(',')}}`]);
    },
  };
}

function plainly(plan: AggregatePlan, isBySeries: boolean): string {
  return `${partsOf(plan, isBySeries, false)}
    select bucket::float8 as "atUs", line::float8 as series, sum(n)::float8 as count,
      (${merged[plan.aggregation]})::float8 as value
    from parts group by bucket, line order by bucket, line`;
}

function exactly(plan: AggregatePlan, isBySeries: boolean, share: number): string {
  return `select ${bucketOf(plan, 'at')}::float8 as "atUs", ${lineOf(isBySeries, 'series')}::float8 as series,
      count(*)::float8 as count, percentile_disc(${share}) within group (order by value) as value
    from telemetry_readings
    where series = any(?::bigint[]) and at >= ${plan.fromUs} and at < ${plan.toUs}
    group by 1, 2 order by 1, 2`;
}
