import { Migration } from '@mikro-orm/migrations';

export class Schedules extends Migration {
  override up(): void {
    // What is wanted of Temporal's schedules, and what became of the last tick of each.
    this.addSql(`
      create table schedules (
        id text primary key,
        kind text not null,
        subject_id uuid not null unique,
        timing jsonb not null,
        paused boolean not null default false,
        removed boolean not null default false,
        last_at timestamptz(3),
        last_outcome text,
        last_reason text,
        last_run_id uuid,
        problem text,
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null
      )`);
    // Why a run was begun; null is by hand, when its row was made.
    this.addSql('alter table runs add column trigger jsonb');
  }
}
