import { HOUR_US, MINUTE_US } from '../../domain/neosyntis/telemetry-limits.ts';
import type { AggregatePlan } from '../../domain/neosyntis/telemetry-plan.ts';
import { binOf, sketchIn, sketchOf } from './telemetry-sketch.ts';

/** What readings come to, in one part. */
const ofReadings = `
  count(*) as n, sum(r.value) as sum, min(r.value) as lo, max(r.value) as hi,
  min(r.at) as first_at, (array_agg(r.value order by r.at))[1] as first,
  max(r.at) as last_at, (array_agg(r.value order by r.at desc))[1] as last`;

const ofRollups = 'o.count as n, o.sum, o.min as lo, o.max as hi, o.first_at, o.first, o.last_at, o.last';
const sketchedRollups = `o.count as n, o.min as lo, o.max as hi, ${sketchIn('o')} as sketch`;

/** The beginning of the bucket that a time is in: all are multiples of its length. */
export const bucketOf = ({ bucketUs }: AggregatePlan, at: string): string => `(${at} - ${at} % ${bucketUs})`;

export const lineOf = (isBySeries: boolean, series: string): string => (isBySeries ? series : '0');

/**
 * The beginning of a statement: what the buckets are made of, by `bucket` and `line`, for percentiles (not of readings)
 * with a `sketch`. Its parameter are the series.
 */
export function partsOf(plan: AggregatePlan, isBySeries: boolean, isPercentile: boolean): string {
  const { fromUs, toUs, tier } = plan;
  const asked = 'asked as materialized (select no from unnest(?::bigint[]) as s (no))';
  const rollup = isPercentile ? sketchedRollups : ofRollups;
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
    `select ${bucketOf(plan, 'o.at')} as bucket, ${lineOf(isBySeries, 'o.series')} as line, o.series, ${rollup}
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
      select ${bucketOf(plan, 'o.at')} as bucket, ${lineOf(isBySeries, 'o.series')} as line, o.series, ${rollup}
      from stale h join telemetry_rollups o
        on o.series = h.series and o.step = 60 and o.at >= h.at and o.at < h.at + ${HOUR_US}
      where ${isNot('dirty')}
      union all ${live})`;
}

const ofMinute = `telemetry_readings r where r.series = d.series and r.at >= d.at and r.at < d.at + ${MINUTE_US}`;

const plainReadings = `select ${ofReadings} from ${ofMinute}`;

const binnedReadings = `
  select sum(n) as n, min(lo) as lo, max(hi) as hi, ${sketchOf('bin', 'n::int')} as sketch
  from (select ${binOf('r.value')} as bin, count(*) as n, min(r.value) as lo, max(r.value) as hi
    from ${ofMinute} group by 1) b`;
