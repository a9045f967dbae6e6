import { Migration } from '@mikro-orm/migrations';

/** Times (`at`) are microseconds since 1970: buckets are arithmetic, and partitions have whole numbers as bounds. */
export class Telemetry extends Migration {
  override up(): void {
    // `key` is the SHA-256 of name, ids and tags: what makes two readings of one owner the same series.
    this.addSql(`
      create table telemetry_series (
        no bigserial primary key,
        id uuid not null unique,
        owner_id uuid not null,
        key bytea not null,
        metric_name text not null,
        workflow_id uuid,
        dataset_id text,
        device_id text,
        tags jsonb not null,
        retention_days integer,
        created_at timestamptz(3) not null,
        unique (owner_id, key)
      )`);
    this.addSql('create index telemetry_series_metric on telemetry_series (metric_name, owner_id)');
    // A partition a week (db/neosyntis/telemetry-partitions.ts). No foreign key: a row would cost half as much again.
    this.addSql(`
      create table telemetry_readings (
        series bigint not null,
        at bigint not null,
        value double precision not null,
        primary key (series, at)
      ) partition by range (at)`);
    // What readings of a minute (step 60) or of an hour (3600) come to. bins and counts are a DDSketch
    // (db/neosyntis/telemetry-sketch.ts).
    this.addSql(`
      create table telemetry_rollups (
        series bigint not null references telemetry_series (no) on delete cascade,
        step integer not null,
        at bigint not null,
        count bigint not null,
        sum double precision not null,
        min double precision not null,
        max double precision not null,
        first_at bigint not null,
        first double precision not null,
        last_at bigint not null,
        last double precision not null,
        bins integer[] not null,
        counts integer[] not null,
        primary key (series, step, at)
      )`);
    // Minutes with readings that their rollup does not have yet, and hours with such minutes.
    this.addSql(`
      create table telemetry_dirty (
        series bigint not null references telemetry_series (no) on delete cascade,
        step integer not null,
        at bigint not null,
        touches integer not null default 1,
        primary key (series, step, at)
      )`);
    this.addSql('create index telemetry_dirty_at on telemetry_dirty (step, at)');
    // All in one call, for it is one trip. First the minutes: their rows are locked, by the order given, so that two
    // batches with the same readings wait for each other here instead of in the middle, and a rollup under way sees
    // all of these or is told anew. Most batches are new as a whole: those are inserted at half of the cost of an upsert,
    // which the others get, by their ends or by the first reading that is there.
    this.addSql(`
      create function telemetry_write(
        minute_series bigint[], minutes bigint[], in_series bigint[], ats bigint[], vals double precision[]
      ) returns bigint language plpgsql as $$
      declare
        written bigint;
        final int := cardinality(ats);
      begin
        insert into telemetry_dirty as d (series, step, at)
        select m.s, 60, m.a from unnest(minute_series, minutes) as m (s, a)
        on conflict on constraint telemetry_dirty_pkey do update set touches = d.touches % 1000000 + 1;
        if not exists (select from telemetry_readings r where r.series = in_series[1] and r.at = ats[1])
          and not exists (select from telemetry_readings r where r.series = in_series[final] and r.at = ats[final]) then
          begin
            insert into telemetry_readings (series, at, value)
            select n.s, n.a, n.v from unnest(in_series, ats, vals) as n (s, a, v);
            return final;
          exception when unique_violation then
            -- some are there
          end;
        end if;
        insert into telemetry_readings as r (series, at, value)
        select n.s, n.a, n.v from unnest(in_series, ats, vals) as n (s, a, v)
        on conflict on constraint telemetry_readings_pkey do update set value = excluded.value
        where r.value <> excluded.value;
        get diagnostics written = row_count;
        return written;
      end $$`);
  }
}
