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
  }
}
