import { DAY_US } from '../../domain/neosyntis/telemetry-limits.ts';
import type { Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { deleted, type Piece } from '../system/retention.ts';
import { dropWeek, partitionOf, partitionWeeks, WEEK_US, weekBegin, weekOf } from './telemetry-partitions.ts';

/** Rows of one statement: they are small. */
const ROWS = 5_000;

const nowUs = '(extract(epoch from now()) * 1000000)::bigint';

/** Each series, and where what it keeps begins: at a Monday, for weeks go together. Days of 0 keep all: null. */
const keptFrom = `
  select no, oldest - (oldest - ${weekBegin(0)}::bigint) % ${WEEK_US}::bigint as upto from (
    select no, ${nowUs} - nullif(coalesce(retention_days, ?::bigint), 0) * ${DAY_US}::bigint as oldest
    from telemetry_series) s`;

/**
 * Drops weeks that no series keeps, one at a time, and deletes what is old of series that keep less than others.
 * @param days of series that say nothing themselves; 0 is for ever
 */
export async function pruneTelemetry(tx: Sql, days: number): Promise<Piece> {
  const [policy] = await rows<{ longest: number | null; now_us: number }>(
    tx,
    `select case when min(d) > 0 then max(d) end::float8 as longest, ${nowUs}::float8 as now_us
     from (select distinct coalesce(retention_days, ?::int) as d from telemetry_series) s`,
    [days],
  );
  // For ever is longest of all; without series no week is anybody's.
  const longest = policy?.longest;
  if (longest != null && policy) {
    const [oldest] = await partitionWeeks(tx);
    if (oldest !== undefined && oldest < weekOf(policy.now_us - longest * DAY_US)) {
      // To count them would take longer than to drop them.
      const [about] = await rows<{ n: number }>(
        tx,
        'select greatest(reltuples, 0)::float8 as n from pg_class where oid = to_regclass(?)',
        [partitionOf(oldest)],
      );
      const isGone = await dropWeek(tx, oldest);
      return isGone ? { rows: about?.n ?? 0, more: true } : { rows: 0, more: false };
    }
  }
  for (const table of ['telemetry_readings', 'telemetry_rollups', 'telemetry_dirty']) {
    const piece = await deleteOld(tx, table, days);
    if (piece.rows > 0) return { ...piece, more: true };
  }
  return forgetSeries(tx, days);
}

function deleteOld(tx: Sql, table: string, days: number): Promise<Piece> {
  const hasSteps = table !== 'telemetry_readings';
  const key = hasSteps ? 'step, at' : 'at';
  return deleted(
    tx,
    `delete from ${table} where (series, ${key}) in (
       select s.no, ${key} from (${keptFrom}) s cross join lateral (
         select ${key} from ${table}
         where series = s.no and at < s.upto ${hasSteps ? 'and step in (60, 3600)' : ''} limit ${ROWS}) r
       limit ${ROWS})`,
    [days],
  );
}

/** Series that have nothing any more, and had the time to. */
const forgetSeries = (tx: Sql, days: number): Promise<Piece> =>
  deleted(
    tx,
    `delete from telemetry_series where no in (
       select no from telemetry_series s
       where created_at < now() - make_interval(days => greatest(nullif(coalesce(retention_days, ?::int), 0), 1) + 7)
         and retention_days is null
         and not exists (select from telemetry_rollups r where r.series = s.no)
         and not exists (select from telemetry_dirty d where d.series = s.no)
       limit 1000)`,
    [days],
  );
