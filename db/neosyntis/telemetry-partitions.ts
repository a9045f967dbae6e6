import { DAY_US } from '../../domain/neosyntis/telemetry-limits.ts';
import { locks } from '../locks.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';

export const WEEK_US = 7 * DAY_US;

/** 1970 began on a Thursday; weeks begin on Mondays. */
const MONDAY_US = 4 * DAY_US;

export const weekOf = (atUs: number): number => Math.floor((atUs - MONDAY_US) / WEEK_US);
export const weekBegin = (week: number): number => week * WEEK_US + MONDAY_US;

/** Named by its Monday. */
export const partitionOf = (week: number): string =>
  `telemetry_readings_${new Date(weekBegin(week) / 1_000).toISOString().slice(0, 10).replaceAll('-', '')}`;

/** Makes the partitions of weeks that have none, and remembers those that there are. */
export function createTelemetryPartitions(database: Database) {
  const known = new Set<number>();

  return {
    async ensure(weeks: Iterable<number>): Promise<void> {
      const missing = [...weeks].filter((week) => !known.has(week));
      if (missing.length === 0) return;
      await database.em.fork().transactional(async (tx) => {
        await tx.execute('select pg_advisory_xact_lock(?)', [locks.telemetryPartitions]);
        for (const week of missing) await make(tx, week);
      });
      for (const week of missing) known.add(week);
    },
    /** Some were dropped: they are looked for again. */
    forget: () => known.clear(),
  };
}

async function make(tx: Sql, week: number): Promise<void> {
  const name = partitionOf(week);
  const [found] = await rows<{ there: boolean }>(tx, 'select to_regclass(?) is not null as there', [name]);
  if (found?.there) return;
  // Attached, for to create it as a partition would wait for every reader, and they for it.
  await tx.execute(`create table ${name} (like telemetry_readings including all)`);
  await tx.execute(
    `alter table telemetry_readings attach partition ${name} for values from (${weekBegin(week)}) to (${weekBegin(week + 1)})`,
  );
}

/** The partitions that there are, oldest first, by their weeks. */
export async function partitionWeeks(tx: Sql): Promise<number[]> {
  const found = await rows<{ name: string }>(
    tx,
    "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'telemetry_readings'::regclass order by 1",
  );
  return found.flatMap(({ name }) => {
    const [, year, month, day] = /_(\d{4})(\d\d)(\d\d)$/.exec(name) ?? [];
    return year === undefined ? [] : [weekOf(Date.parse(`${year}-${month}-${day}T00:00:00Z`) * 1_000)];
  });
}

/**
 * Drops a week. @returns whether it went: readers are not made to wait for one that takes long
 */
export async function dropWeek(tx: Sql, week: number): Promise<boolean> {
  const name = partitionOf(week);
  await tx.execute(
    `do $$ begin
       set local lock_timeout = '1s';
       drop table ${name};
     exception when lock_not_available then null;
     end $$`,
  );
  const [found] = await rows<{ there: boolean }>(tx, 'select to_regclass(?) is not null as there', [name]);
  return !found?.there;
}
