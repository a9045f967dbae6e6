import { Migration } from '@mikro-orm/migrations';

export class Tasks extends Migration {
  override up(): void {
    // `next_at` is the first nominal time that has no row in `task_runs` yet; null when none is to come.
    this.addSql(`
      create table tasks (
        id uuid primary key,
        owner_id uuid not null,
        name text not null,
        description text not null,
        schedule text not null,
        timezone text not null,
        timing jsonb not null,
        action json not null,
        enabled boolean not null,
        overlap text not null,
        jitter_seconds integer not null,
        catch_up_seconds integer not null,
        start_at timestamptz(3),
        end_at timestamptz(3),
        pause_on_failure boolean not null,
        paused_reason text,
        told text[] not null,
        email text[] not null,
        webhook_url text,
        sealed bytea,
        key_id text generated always as (encode(substring(sealed from 2 for 8), 'hex')) stored,
        workflow_id uuid,
        next_at timestamptz(3),
        removed boolean not null default false,
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null
      )`);
    this.addSql(`
      create trigger tasks_key before insert or update of sealed on tasks
        for each row when (new.sealed is not null) execute function refuse_retired_key()`);
    this.addSql('create index tasks_owner on tasks (owner_id, id desc) where not removed');
    // What a task runs by steps is a workflow of its own, which belongs to it.
    this.addSql('alter table workflows add column task_id uuid');
    // One row a nominal time, whatever became of it; what began has a job of the same id.
    this.addSql(`
      create table task_runs (
        id uuid primary key,
        task_id uuid not null references tasks on delete cascade,
        trigger text not null,
        scheduled_at timestamptz(3) not null,
        status text not null,
        buffered boolean not null default false,
        start_time timestamptz(3),
        end_time timestamptz(3),
        attempt integer not null default 0,
        overran boolean not null default false,
        reason text,
        run_id uuid,
        has_job boolean not null,
        rerun_of uuid,
        notify_at timestamptz(3),
        created_at timestamptz(3) not null
      )`);
    this.addSql(`
      create unique index task_runs_nominal on task_runs (task_id, scheduled_at)
        where trigger in ('schedule', 'backfill')`);
    this.addSql('create index task_runs_task on task_runs (task_id, id desc)');
    this.addSql(
      "create index task_runs_open on task_runs (task_id, scheduled_at) where status in ('pending', 'running')",
    );
    this.addSql('create index task_runs_told on task_runs (notify_at) where notify_at is not null');
    this.addSql('create index task_runs_ended on task_runs (end_time) where end_time is not null');
  }
}
