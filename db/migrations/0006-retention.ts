import { Migration } from '@mikro-orm/migrations';

export class Retention extends Migration {
  override up(): void {
    // Frames and log chunks of a job up to this number are not kept any more; always less than a gap in the middle.
    this.addSql('alter table jobs add column pruned_seq bigint not null default 0');
    this.addSql('create index jobs_ended on jobs (ended_at) where ended_at is not null');
    this.addSql('alter table events add column at timestamptz(3) not null default now()');
    this.addSql('create index idempotency_keys_age on idempotency_keys (created_at)');
    this.addSql('create index workflows_deleted on workflows (deleted_at) where deleted_at is not null');
    // How many rows of each kind retention has deleted, ever.
    this.addSql(`
      create table pruned (
        what text primary key,
        rows bigint not null,
        last_at timestamptz(3) not null
      )`);
    this.auditIsKept();
  }

  /** Retention says who it is; and it cannot delete what is younger than the shortest policy there is. */
  private auditIsKept(): void {
    this.addSql(`
      create function refuse_delete() returns trigger language plpgsql as $body$
      begin
        if coalesce(current_setting('vareon.retention', true), '') <> 'on'
           or old.at > now() - interval '1 day' then
          raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
        end if;
        return old;
      end $body$`);
    this.addSql(`
      create trigger audit_log_kept before delete on audit_log
        for each row execute function refuse_delete()`);
    this.addSql(`
      create trigger audit_log_whole before truncate on audit_log
        for each statement execute function refuse_update()`);
  }
}
