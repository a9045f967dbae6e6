import { Migration } from '@mikro-orm/migrations';

export class SystemMetrics extends Migration {
  override up(): void {
    // The newest sample of each host, as it sent it; generation and seq tell an older one.
    this.addSql(`
      create table system_metrics (
        host text primary key references hosts (name) on delete cascade,
        generation bigint not null,
        seq bigint not null,
        at timestamptz(3) not null,
        sample jsonb not null
      )`);
    // What was: each sample (step 0), and what the samples of a minute and of an hour come to (60, 3600). Arrays are
    // in the order of historyMetrics; an average is a sum by its count, which leaves out what was not measured.
    this.addSql(`
      create table system_metric_points (
        host text not null references hosts (name) on delete cascade,
        step integer not null,
        at timestamptz(3) not null,
        counts integer[] not null,
        sums double precision[] not null,
        mins double precision[] not null,
        maxs double precision[] not null,
        primary key (host, step, at)
      )`);
    this.addSql('create index system_metric_points_age on system_metric_points (step, at)');
    // Jobs by host; few steps have one.
    this.addSql('create index run_steps_host on run_steps (host, run_id) where host is not null');
  }
}
