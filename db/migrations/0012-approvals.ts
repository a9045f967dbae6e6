import { Migration } from '@mikro-orm/migrations';

export class Approvals extends Migration {
  override up(): void {
    this.addSql(`
      create table approvals (
        id uuid primary key,
        run_id uuid not null references runs on delete cascade,
        kind text not null,
        path text not null,
        iteration integer[] not null,
        attempt integer not null,
        name text not null,
        title text not null,
        message text not null,
        schema json,
        known jsonb,
        -- As the step names them; null: the run's owner.
        approvers text[],
        -- Who they were when they were asked: a name may have another holder later.
        approver_ids uuid[] not null,
        approver_roles text[] not null,
        requested_at timestamptz(3) not null,
        closed_at timestamptz(3),
        decided_at timestamptz(3),
        decided_by uuid,
        decided_by_name text,
        answer json
      )`);
    this.addSql('create index approvals_run on approvals (run_id, path)');
    this.addSql(
      'create index approvals_open on approvals (id desc) where closed_at is null and decided_at is null',
    );
    this.addSql('create index approvals_approver on approvals using gin (approver_ids)');
    this.addSql('alter table run_steps add column approval_id uuid, add column idempotent boolean');
    this.notifications();
  }

  /** Who is told of runs, and what is to be told: written with the status itself, so that it is told once. */
  private notifications(): void {
    this.addSql(`
      create table workflow_notifications (
        id uuid primary key references workflows on delete cascade,
        kinds text[] not null,
        after_seconds integer not null,
        email text[] not null,
        webhook_url text,
        sealed bytea,
        key_id text generated always as (encode(substring(sealed from 2 for 8), 'hex')) stored,
        updated_at timestamptz(3) not null
      )`);
    this.addSql(`
      create trigger workflow_notifications_key before insert or update of sealed on workflow_notifications
        for each row when (new.sealed is not null) execute function refuse_retired_key()`);
    this.addSql(`
      create table run_notifications (
        run_id uuid not null references runs on delete cascade,
        kind text not null,
        due_at timestamptz(3) not null,
        sent_at timestamptz(3),
        primary key (run_id, kind)
      )`);
    this.addSql('create index run_notifications_due on run_notifications (due_at) where sent_at is null');
    this.addSql(`
      create function note_run_status() returns trigger language plpgsql as $$
      begin
        if old.status = 'waiting' then
          delete from run_notifications where run_id = new.id and kind = 'waiting' and sent_at is null;
        end if;
        if new.status in ('completed', 'failed', 'waiting') then
          insert into run_notifications (run_id, kind, due_at)
            select r.id, new.status, now() + make_interval(secs =>
              case when new.status = 'waiting' then n.after_seconds else 0 end)
            from runs r join workflow_notifications n on n.id = r.workflow_id
            where r.id = new.id and new.status = any(n.kinds)
              -- A run that waits for events only asks nobody.
              and (new.status <> 'waiting' or exists (select 1 from approvals a
                where a.run_id = new.id and a.closed_at is null and a.decided_at is null))
          on conflict do nothing;
        end if;
        return null;
      end $$`);
    this.addSql(`
      create trigger jobs_note_status after update of status on jobs for each row
        when (old.status is distinct from new.status and new.type = 'workflow_run') execute function note_run_status()`);
  }
}
