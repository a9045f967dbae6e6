import { Migration } from '@mikro-orm/migrations';

/** Sketches as bytes (db/neosyntis/telemetry-sketch.ts), which are put together without being taken apart. */
export class TelemetrySketches extends Migration {
  override up(): void {
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
  }
}
