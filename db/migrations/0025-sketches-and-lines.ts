import { Migration } from '@mikro-orm/migrations';

export class SketchesAndLines extends Migration {
  override up(): void {
    // Sketches as bytes (db/neosyntis/telemetry-sketch.ts): they are put together without being taken apart.
    this.addSql(`
      create function telemetry_sketch(bins integer[], counts integer[]) returns bytea language sql immutable as $$
        select string_agg(int4send(b.bin) || int4send(b.n), '' order by b.bin) from unnest(bins, counts) as b (bin, n)
      $$`);
    // Processes of before write the arrays for a moment longer: both are read. A later release drops those.
    this.addSql(`
      alter table telemetry_rollups add column sketch bytea,
        alter column bins drop not null, alter column counts drop not null`);
    this.addSql(
      'update telemetry_rollups set sketch = telemetry_sketch(bins, counts), bins = null, counts = null',
    );
    // What devices said lately. Every platform worker writes the same lines under the same key: where each came from.
    // `at` is milliseconds since 1970.
    this.addSql(`
      create table device_lines (
        device_id uuid not null references devices (id) on delete cascade,
        at bigint not null,
        epoch bigint not null,
        seq bigint not null,
        n integer not null,
        direction text not null,
        level text not null,
        line text not null,
        primary key (device_id, at, epoch, seq, n)
      )`);
    this.addSql('create index device_lines_age on device_lines (at)');
  }
}
