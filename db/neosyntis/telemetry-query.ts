import type { Aggregation } from '../../domain/neosyntis/telemetry.ts';
import type { Bucket } from '../../domain/neosyntis/telemetry-fill.ts';
import { HOUR_US, MINUTE_US } from '../../domain/neosyntis/telemetry-limits.ts';
import type { AggregatePlan } from '../../domain/neosyntis/telemetry-plan.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';
import { binOf, valueIn } from './telemetry-sketch.ts';

export interface RawReading {
  series: number;
  /** Microseconds since 1970. */
  atUs: number;
  value: number;
}

/** Of one series when they are answered side by side, else of all together (0). */
export type SeriesBucket = Bucket & { series: number };

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

/** What readings come to, in one part. */
const ofReadings = `
  count(*) as n, sum(r.value) as sum, min(r.value) as lo, max(r.value) as hi,
  min(r.at) as first_at, (array_agg(r.value order by r.at))[1] as first,
  max(r.at) as last_at, (array_agg(r.value order by r.at desc))[1] as last`;

const ofRollups = 'o.count as n, o.sum, o.min as lo, o.max as hi, o.first_at, o.first, o.last_at, o.last';

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
      const statement =
        share === undefined ? plainly(plan, isBySeries) : byPercentile(plan, isBySeries, share);
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

function byPercentile(plan: AggregatePlan, isBySeries: boolean, share: number): string {
  if (plan.tier === 'readings')
    return `select ${bucketOf(plan, 'at')}::float8 as "atUs", ${lineOf(isBySeries, 'series')}::float8 as series,
        count(*)::float8 as count, percentile_disc(${share}) within group (order by value) as value
      from telemetry_readings
      where series = any(?::bigint[]) and at >= ${plan.fromUs} and at < ${plan.toUs}
      group by 1, 2 order by 1, 2`;
  // Two sets in one select list are walked side by side, for a third of what unnest() costs as a table.
  return `${partsOf(plan, isBySeries, true)},
    ends as (select bucket, line, sum(n)::float8 as total, min(lo) as lo, max(hi) as hi from parts group by bucket, line),
    binned as (
      select bucket, line, bin, sum(n) as n
      from (select bucket, line, unnest(bins) as bin, unnest(counts)::float8 as n from parts) b
      group by bucket, line, bin),
    ranked as (
      select bucket, line, bin, sum(n) over (partition by bucket, line order by bin rows unbounded preceding) as upto
      from binned),
    found as (
      select bucket, line, min(bin) as bin, max(total) as total, max(lo) as lo, max(hi) as hi
      from ranked join ends using (bucket, line) where upto >= ${share} * total group by bucket, line)
    select bucket::float8 as "atUs", line::float8 as series, total as count,
      least(greatest(${valueIn('bin')}, lo), hi) as value
    from found order by bucket, line`;
}

/** The beginning of the bucket that a time is in: all are multiples of its length. */
const bucketOf = ({ bucketUs }: AggregatePlan, at: string): string => `(${at} - ${at} % ${bucketUs})`;

const lineOf = (isBySeries: boolean, series: string): string => (isBySeries ? series : '0');

/** The beginning of a statement: what the buckets are made of, by `bucket` and `line`. Its parameter are the series. */
function partsOf(plan: AggregatePlan, isBySeries: boolean, isPercentile: boolean): string {
  const { fromUs, toUs, tier } = plan;
  const asked = 'asked as materialized (select no from unnest(?::bigint[]) as s (no))';
  const sketch = isPercentile ? ', o.bins, o.counts' : '';
  const between = (table: string) => `${table}.at >= ${fromUs} and ${table}.at < ${toUs}`;
  if (tier === 'readings')
    return `with ${asked}, parts as (
      select ${bucketOf(plan, 'r.at')} as bucket, ${lineOf(isBySeries, 'r.series')} as line, r.series,
        ${ofReadings}
      from asked a join telemetry_readings r on r.series = a.no and ${between('r')} group by 1, 2, 3)`;
  const dirty = `dirty as materialized (
    select d.series, d.at from telemetry_dirty d join asked a on a.no = d.series where d.step = 60 and ${between('d')})`;
  // Each series by its index, whatever the planner thinks of how many there are.
  const from = (step: number) =>
    `select ${bucketOf(plan, 'o.at')} as bucket, ${lineOf(isBySeries, 'o.series')} as line, o.series, ${ofRollups}${sketch}
     from asked a cross join lateral (
       select * from telemetry_rollups r where r.series = a.no and r.step = ${step} and ${between('r')} offset 0) o
     where true`;
  const isNot = (marks: string) =>
    `not exists (select from ${marks} m where m.series = o.series and m.at = o.at)`;
  const live = `
    select ${bucketOf(plan, 'd.at')} as bucket, ${lineOf(isBySeries, 'd.series')} as line, d.series, r.*
    from dirty d cross join lateral (${isPercentile ? binnedReadings : plainReadings}) r where r.n > 0`;
  if (tier === 'minutes')
    return `with ${asked}, ${dirty}, parts as (${from(60)} and ${isNot('dirty')} union all ${live})`;
  return `with ${asked}, ${dirty}, stale as materialized (
      select d.series, d.at from telemetry_dirty d join asked a on a.no = d.series where d.step = 3600 and ${between('d')}
      union select series, at - at % ${HOUR_US} from dirty),
    parts as (
      ${from(3_600)} and ${isNot('stale')}
      union all
      select ${bucketOf(plan, 'o.at')} as bucket, ${lineOf(isBySeries, 'o.series')} as line, o.series, ${ofRollups}${sketch}
      from stale h join telemetry_rollups o
        on o.series = h.series and o.step = 60 and o.at >= h.at and o.at < h.at + ${HOUR_US}
      where ${isNot('dirty')}
      union all ${live})`;
}

const ofMinute = `telemetry_readings r where r.series = d.series and r.at >= d.at and r.at < d.at + ${MINUTE_US}`;

const plainReadings = `select ${ofReadings} from ${ofMinute}`;

const binnedReadings = `
  select sum(n) as n, sum(sum) as sum, min(lo) as lo, max(hi) as hi, null::bigint as first_at, null::float8 as first,
    null::bigint as last_at, null::float8 as last,
    array_agg(bin) as bins, array_agg(n::int) as counts
  from (select ${binOf('r.value')} as bin, count(*) as n, sum(r.value) as sum, min(r.value) as lo, max(r.value) as hi
    from ${ofMinute} group by 1) b`;
