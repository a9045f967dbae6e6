import { Migration } from '@mikro-orm/migrations';

export class Hosts extends Migration {
  override up(): void {
    this.addSql(`
      create table hosts (
        name text primary key,
        online boolean not null,
        last_seen timestamptz(3) not null,
        announced_at timestamptz(3) not null,
        capabilities jsonb not null,
        sessions integer not null
      )`);
    // What the audit log can be filtered by.
    this.addSql('create index audit_log_actor on audit_log (actor, id desc)');
    this.addSql('create index audit_log_action on audit_log (action, id desc)');
    this.addSql("create index audit_log_refused on audit_log (outcome, id desc) where outcome <> 'ok'");
  }
}
