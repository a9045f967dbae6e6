import { Migration } from '@mikro-orm/migrations';

export class Events extends Migration {
  override up(): void {
    // One row an event; of an owner's events (and of those posted to one run) source and id are a name.
    this.addSql(`
      create table event_inbox (
        seq bigserial primary key,
        owner_id uuid not null,
        source text not null,
        id text not null,
        type text not null,
        run_id uuid references runs on delete cascade,
        event json not null,
        received_at timestamptz(3) not null default now(),
        unique nulls not distinct (owner_id, source, id, run_id)
      )`);
    this.addSql('create index event_inbox_age on event_inbox (received_at)');
    this.addSql('create index event_inbox_run on event_inbox (run_id) where run_id is not null');
    // What is still to be signalled; the signal deletes it.
    this.addSql(`
      create table event_deliveries (
        run_id uuid not null references runs on delete cascade,
        seq bigint not null references event_inbox on delete cascade,
        is_direct boolean not null,
        at timestamptz(3) not null default now(),
        primary key (run_id, seq)
      )`);
    this.addSql('create index event_deliveries_seq on event_deliveries (seq)');
    this.addSql('create index event_deliveries_age on event_deliveries (at)');
    this.addSql(`
      create table event_subscriptions (
        run_id uuid not null references runs on delete cascade,
        path text not null,
        iteration integer[] not null,
        owner_id uuid not null,
        types text[],
        lifecycle text[] not null default '{}',
        primary key (run_id, path, iteration)
      )`);
    this.addSql('create index event_subscriptions_owner on event_subscriptions (owner_id)');
    this.addSql(
      "create index event_subscriptions_lifecycle on event_subscriptions (owner_id) where lifecycle <> '{}'",
    );
    // Frames of a run whose lifecycle events somebody waits for.
    this.addSql(`
      create table lifecycle_due (
        run_id uuid not null references runs on delete cascade,
        first_seq bigint not null,
        last_seq bigint not null,
        at timestamptz(3) not null default now(),
        primary key (run_id, first_seq)
      )`);
    this.addSql('create index lifecycle_due_age on lifecycle_due (at)');
  }
}
