import { Migration } from '@mikro-orm/migrations';

export class AuthAndSystem extends Migration {
  override up(): void {
    this.addSql(`
      create table audit_log (
        id uuid primary key,
        at timestamptz(3) not null,
        user_id uuid,
        actor text not null,
        action text not null,
        resource text not null,
        outcome text not null,
        request_id text not null,
        ip text not null
      )`);
  }
}
