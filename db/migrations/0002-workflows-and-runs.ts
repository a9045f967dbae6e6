import { Migration } from '@mikro-orm/migrations';

export class WorkflowsAndRuns extends Migration {
  override up(): void {
    this.addSql(`
      create table workflows (
        id uuid primary key,
        owner_id uuid not null,
        name text not null,
        description text,
        version integer not null,
        latest_run_id uuid,
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null,
        deleted_at timestamptz(3)
      )`);
    this.addSql('create index workflows_owner on workflows (owner_id, id desc)');
    this.addSql(`
      create table workflow_versions (
        workflow_id uuid not null references workflows,
        version integer not null,
        document json not null,
        steps json not null,
        uses_code boolean not null,
        created_at timestamptz(3) not null,
        created_by uuid not null,
        primary key (workflow_id, version)
      )`);
    this.addSql(`
      create table jobs (
        id uuid primary key,
        type text not null,
        name text not null,
        owner_id uuid,
        status text not null,
        progress real not null default 0,
        seq bigint not null default 0,
        log_bytes bigint not null default 0,
        details jsonb not null,
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null,
        started_at timestamptz(3),
        ended_at timestamptz(3)
      )`);
    this.addSql('create index jobs_owner on jobs (owner_id, id desc)');
    this.addSql(
      "create index jobs_open on jobs (type, id) where status not in ('completed', 'failed', 'cancelled')",
    );
    this.addSql(`
      create table runs (
        id uuid primary key references jobs,
        workflow_id uuid not null references workflows,
        version integer not null,
        started_by uuid not null,
        input json,
        output json,
        error jsonb,
        projected bigint not null default 0,
        steps_total integer not null default 0,
        foreign key (workflow_id, version) references workflow_versions
      )`);
    this.addSql('create index runs_workflow on runs (workflow_id, id desc)');
    this.addSql(`
      create table run_steps (
        run_id uuid not null references runs,
        path text not null,
        iteration integer[] not null,
        ordinal bigint not null,
        name text not null,
        kind text not null,
        status text not null,
        attempt integer not null,
        host text,
        started_at timestamptz(3),
        ended_at timestamptz(3),
        input json,
        output json,
        error jsonb,
        primary key (run_id, path, iteration)
      )`);
    this.addSql('create index run_steps_order on run_steps (run_id, ordinal)');
    this.addSql(`
      create table run_events (
        run_id uuid not null,
        seq bigint not null,
        frame jsonb not null,
        primary key (run_id, seq)
      )`);
    this.addSql(`
      create table job_logs (
        job_id uuid not null,
        seq bigint not null,
        start_byte bigint not null,
        path text not null,
        iteration integer[] not null,
        stream text not null,
        stream_byte bigint not null,
        bytes integer not null,
        text text not null,
        at timestamptz(3) not null,
        primary key (job_id, seq)
      )`);
    this.addSql('create index job_logs_start on job_logs (job_id, start_byte)');
    this.addSql('create index job_logs_step on job_logs (job_id, path, iteration, seq)');
    this.addSql(`
      create table log_streams (
        job_id uuid not null,
        path text not null,
        iteration integer[] not null,
        stream text not null,
        host text not null,
        bytes bigint not null default 0,
        expected bigint,
        updated_at timestamptz(3) not null,
        primary key (job_id, path, iteration, stream)
      )`);
    this.addSql('create index log_streams_short on log_streams (host) where expected > bytes');
    this.addSql(`
      create table events (
        seq bigint primary key,
        topic text not null,
        owner_id uuid,
        event jsonb not null
      )`);
    this.addSql('create table event_counter (id integer primary key check (id = 1), seq bigint not null)');
    this.addSql('insert into event_counter values (1, 0)');
    this.addSql(`
      create table idempotency_keys (
        user_id uuid not null,
        route text not null,
        key text not null,
        body_hash text not null,
        job_id uuid not null,
        created_at timestamptz(3) not null,
        primary key (user_id, route, key)
      )`);
  }
}
