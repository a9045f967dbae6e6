import { Migration } from '@mikro-orm/migrations';

export class DeviceJobs extends Migration {
  override up(): void {
    // The row is there before its file: one that never became whole is deleted with what is left of it.
    this.addSql(`
      create table device_uploads (
        id uuid primary key,
        device_id uuid not null,
        name text not null,
        kind text not null,
        is_whole boolean not null default false,
        size_bytes bigint not null default 0,
        sha256 text,
        lines integer,
        owner_id uuid not null,
        created_at timestamptz(3) not null
      )`);
    this.addSql('create index device_uploads_age on device_uploads (created_at)');
    // The rows of a device are its queue, by `place`. `attempt` numbers what hosts are asked for, `epoch` what people
    // want of a job that is under way; `taken` is the newest of these that the workflow knows of.
    this.addSql(`
      create table device_jobs (
        id uuid primary key references jobs on delete cascade,
        device_id uuid not null,
        upload_id uuid not null references device_uploads,
        work jsonb not null,
        state text not null,
        place bigint not null,
        host text,
        attempt integer not null default 0,
        wanted text not null default 'run',
        epoch bigint not null default 0,
        taken bigint not null default 0,
        reported_seq bigint not null default -1,
        output_bytes bigint not null default 0,
        updated_at timestamptz(3) not null
      )`);
    this.addSql('create index device_jobs_upload on device_jobs (upload_id)');
    this.addSql(`
      create index device_jobs_queue on device_jobs (device_id, place)
        where state not in ('completed', 'failed', 'cancelled')`);
    this.addSql(`
      create unique index device_jobs_active on device_jobs (device_id)
        where state in ('running', 'lost', 'held', 'aborting')`);
  }
}
