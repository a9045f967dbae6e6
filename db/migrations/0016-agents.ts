import { Migration } from '@mikro-orm/migrations';

export class Agents extends Migration {
  override up(): void {
    // `epoch` counts the orders (start, stop, restart); `taken` is the newest that its workflow knows of.
    // What a host said last is of `reported_epoch`, and has `reported_seq` in it.
    this.addSql(`
      create table agents (
        id uuid primary key,
        name text not null,
        type text not null,
        owner_id uuid,
        host text not null,
        configuration json not null,
        desired text not null,
        epoch bigint not null default 0,
        taken bigint not null default 0,
        removed boolean not null default false,
        status text not null,
        pid integer,
        started_at timestamptz(3),
        last_run timestamptz(3),
        restarts integer not null default 0,
        health integer not null default 0,
        health_parts jsonb not null,
        cpu_percent double precision not null default 0,
        memory_bytes bigint not null default 0,
        log_bytes bigint not null default 0,
        last_end jsonb,
        reported_epoch bigint not null default -1,
        reported_seq bigint not null default -1,
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null
      )`);
    this.addSql('create index agents_host on agents (host)');
    this.addSql('create index agents_untaken on agents (id) where taken < epoch');
    this.addSql(`
      create index jobs_agent on jobs ((details->>'agent_id'))
        where type in ('agent_start', 'agent_stop', 'agent_restart') and ended_at is null`);
  }
}
