import { Migration } from '@mikro-orm/migrations';

export class HostsEnrolment extends Migration {
  override up(): void {
    this.addSql(`
      alter table hosts
        add column credential_hash bytea,
        add column enrolled_at timestamptz(3),
        add column labels jsonb not null default '{}',
        add column generation bigint not null default 0,
        add column lease_place text,
        add column lease_machine text,
        add column leased_until timestamptz(3)`);
    this.addSql('create unique index hosts_credential on hosts (credential_hash)');
    this.addSql(`
      create table host_enrolments (
        id uuid primary key,
        hash bytea not null unique,
        name text,
        capabilities jsonb not null,
        created_at timestamptz(3) not null,
        expires_at timestamptz(3) not null
      )`);
    this.addSql(`
      create table host_grants (
        host text not null references hosts (name) on delete cascade,
        user_id uuid not null references users (id) on delete cascade,
        primary key (host, user_id)
      )`);
    this.addSql('create index host_grants_user on host_grants (user_id)');
    // A step that is given to another host prints again from its beginning.
    for (const table of ['job_logs', 'log_streams'])
      this.addSql(`alter table ${table} add column attempt integer not null default 1`);
    this.addSql(`
      alter table log_streams drop constraint log_streams_pkey,
        add primary key (job_id, path, iteration, stream, attempt)`);
  }
}
