import { defineEntity, p } from '@mikro-orm/postgresql';
import { HOUR_US, MINUTE_US } from '../../domain/neosyntis/telemetry-limits.ts';
import { locks } from '../locks.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { binOf, bytesOf, createMerger, sketchIn, sketchOf, together } from './telemetry-sketch.ts';

const integers = () => p.array().columnType('integer[]').$type<number[]>();

export const TelemetryRollupEntity = defineEntity({
  name: 'TelemetryRollup',
  tableName: 'telemetry_rollups',
  properties: {
    series: p.bigint('number').primary(),
    step: p.integer().primary(),
    at: p.bigint('number').primary(),
    count: p.bigint('number'),
    sum: p.double(),
    min: p.double(),
    max: p.double(),
    first_at: p.bigint('number'),
    first: p.double(),
    last_at: p.bigint('number'),
    last: p.double(),
    sketch: p.blob().nullable(),
    /** What sketches were once: rows that a process of before wrote have them instead. */
    bins: integers().nullable(),
    counts: integers().nullable(),
  },
});

export const TelemetryDirtyEntity = defineEntity({
  name: 'TelemetryDirty',
  tableName: 'telemetry_dirty',
  properties: {
    series: p.bigint('number').primary(),
    step: p.integer().primary(),
    at: p.bigint('number').primary(),
    touches: p.integer(),
  },
});

/** Readings that are a little late come before their minute is rolled up. */
const GRACE_US = 10_000_000;

/** One transaction's work: minutes of a slow sensor take no time, and batches that come for them wait meanwhile. Of
 * hours, the sketches of all their minutes are in this process at once. */
const FIRST_ROWS = 100;
const MOST_ROWS = 5_000;
const MOST_HOURS = 500;
const WANTED_MS = 300;

interface Claimed {
  series: string;
  at: string;
}

/** What of a minute's readings its row is made of; `c` is the minute. */
const minutes = `
  select c.series, 60, c.at, s.n, s.sum, s.min, s.max,
    s.first_at, (select value from telemetry_readings r where r.series = c.series and r.at = s.first_at),
    s.last_at, (select value from telemetry_readings r where r.series = c.series and r.at = s.last_at),
    b.sketch
  from claimed c
  cross join lateral (
    select count(*) as n, sum(value) as sum, min(value) as min, max(value) as max, min(r.at) as first_at,
      max(r.at) as last_at
    from telemetry_readings r where r.series = c.series and r.at >= c.at and r.at < c.at + ${MINUTE_US}) s
  cross join lateral (
    select ${sketchOf('bin', 'n')} as sketch
    from (select ${binOf('r.value')} as bin, count(*)::int as n from telemetry_readings r
      where r.series = c.series and r.at >= c.at and r.at < c.at + ${MINUTE_US} group by 1) binned) b
  where s.n > 0`;

/** The minutes of an hour; `c` is the hour. */
const ofHour = `telemetry_rollups r where r.series = c.series and r.step = 60 and r.at >= c.at and r.at < c.at + ${HOUR_US}`;

/** The same of an hour, from its minutes; its sketch comes along. */
const hours = `
  select c.series, 3600, c.at, s.n, s.sum, s.min, s.max, s.first_at, s.first, s.last_at, s.last,
    decode(c.sketch, 'base64')
  from claimed c
  cross join lateral (
    select sum(count) as n, sum(sum) as sum, min(min) as min, max(max) as max,
      min(first_at) as first_at, (array_agg(first order by first_at))[1] as first,
      max(last_at) as last_at, (array_agg(last order by last_at desc))[1] as last
    from ${ofHour}) s
  where s.n > 0`;

const claimedMinutes = 'select c.series, c.at from unnest(?::bigint[], ?::bigint[]) as c (series, at)';
const claimedHours =
  'select c.series, c.at, c.sketch from unnest(?::bigint[], ?::bigint[], ?::text[]) as c (series, at, sketch)';

const names = ['count', 'sum', 'min', 'max', 'first_at', 'first', 'last_at', 'last', 'sketch'];

const write = (claimed: string, select: string): string => `
  with claimed as materialized (${claimed})
  insert into telemetry_rollups (series, step, at, ${names.join(', ')}) ${select}
  on conflict (series, step, at) do update set ${names.map((name) => `${name} = excluded.${name}`).join(', ')}`;

/** Those that batches write to right now are left for the next pass. */
const claim = {
  minutes: `select series, at from telemetry_dirty where step = 60 and at < ? order by at limit ? for update skip locked`,
  hours: `
    select series, at from telemetry_dirty h where step = 3600 and at < ? and not exists (
      select from telemetry_dirty m
      where m.series = h.series and m.step = 60 and m.at >= h.at and m.at < h.at + ${HOUR_US})
    order by at limit ? for update skip locked`,
};

/**
 * Rolls up a piece of what is due. What is read is read after its mark was locked, and whoever writes readings locks
 * the mark first: either they are seen here, or the mark is set again.
 * @returns how many rows were rolled up; undefined when somebody else does it
 */
async function piece(tx: Sql, nowUs: number, limit: number): Promise<number | undefined> {
  const [lock] = await rows<{ taken: boolean }>(tx, 'select pg_try_advisory_xact_lock(?) as taken', [
    locks.telemetryRollups,
  ]);
  if (!lock?.taken) return undefined;
  const closed = (us: number) => nowUs - GRACE_US - us;
  const dirty = await rows<Claimed>(tx, claim.minutes, [closed(MINUTE_US) + 1, limit]);
  if (dirty.length > 0) {
    const claimed = columnsOf(dirty);
    await tx.execute(write(claimedMinutes, minutes), claimed);
    await tx.execute(
      `insert into telemetry_dirty (series, step, at)
       select distinct c.series, 3600, c.at - c.at % ${HOUR_US} from unnest(?::bigint[], ?::bigint[]) as c (series, at)
       on conflict do nothing`,
      claimed,
    );
    await clean(tx, 60, claimed);
    return dirty.length;
  }
  const whole = await rows<Claimed>(tx, claim.hours, [closed(HOUR_US) + 1, Math.min(limit, MOST_HOURS)]);
  if (whole.length === 0) return 0;
  const claimed = columnsOf(whole);
  await tx.execute(write(claimedHours, hours), [...claimed, await sketchesOf(tx, claimed)]);
  await clean(tx, 3_600, claimed);
  return whole.length;
}

/** Those of hours, each in base64, merged of their minutes'. They are locked: nobody changes these meanwhile. */
async function sketchesOf(tx: Sql, claimed: string[]): Promise<string> {
  const merger = createMerger();
  const found = await rows<{ sketches: string | null }>(
    tx,
    `select (select ${together(sketchIn('r'))} from ${ofHour}) as sketches
     from unnest(?::bigint[], ?::bigint[]) with ordinality as c (series, at, n) order by c.n`,
    claimed,
  );
  const merged = found.map(({ sketches }) => {
    merger.addBytes(Buffer.from(sketches ?? '', 'base64'));
    return bytesOf(merger.take()).toString('base64');
  });
  return `{${merged.map((text) => `"${text}"`).join()}}`;
}

const columnsOf = (claimed: Claimed[]): string[] => [
  `{${claimed.map(({ series }) => series).join(',')}}`,
  `{${claimed.map(({ at }) => at).join(',')}}`,
];

const clean = (tx: Sql, step: number, claimed: string[]) =>
  tx.execute(
    `delete from telemetry_dirty d using unnest(?::bigint[], ?::bigint[]) as c (series, at)
     where d.series = c.series and d.step = ${step} and d.at = c.at`,
    claimed,
  );

export type TelemetryRollups = ReturnType<typeof createTelemetryRollups>;

export function createTelemetryRollups(database: Database) {
  let limit = FIRST_ROWS;
  return {
    /**
     * Rolls up minutes and hours that are over, in short transactions, until nothing is due or it is to stop. Of all
     * processes one at a time does it.
     * @returns how many rows were rolled up
     */
    async rollUp(nowMs: () => number = Date.now, isStopping = () => false): Promise<number> {
      let total = 0;
      for (;;) {
        const startedAt = performance.now();
        const n = await database.em.fork().transactional((tx) => piece(tx, nowMs() * 1_000, limit));
        total += n ?? 0;
        if (!n || isStopping()) return total;
        // Minutes of 60 readings and of 60,000 take their time, and the lock of a minute holds up who writes to it.
        const took = performance.now() - startedAt;
        if (took > WANTED_MS) limit = Math.max(1, Math.floor(limit / 2));
        else if (n === limit && took < WANTED_MS / 3) limit = Math.min(MOST_ROWS, limit * 2);
      }
    },
  };
}
