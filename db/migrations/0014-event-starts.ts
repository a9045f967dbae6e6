import { Migration } from '@mikro-orm/migrations';

export class EventStarts extends Migration {
  override up(): void {
    // The schedules that events are held against as they come.
    this.addSql(`
      create table event_starts (
        schedule_id text primary key references schedules on delete cascade,
        workflow_id uuid not null references workflows on delete cascade,
        owner_id uuid not null,
        types text[],
        lifecycle text[] not null default '{}'
      )`);
    this.addSql('create index event_starts_owner on event_starts (owner_id)');
    this.addSql("create index event_starts_lifecycle on event_starts (owner_id) where lifecycle <> '{}'");
    // Events that a schedule has not been held against; who does deletes the row in the transaction of the outcome.
    this.addSql(`
      create table event_start_due (
        schedule_id text not null references event_starts on delete cascade,
        seq bigint not null references event_inbox on delete cascade,
        at timestamptz(3) not null default now(),
        primary key (schedule_id, seq)
      )`);
    this.addSql('create index event_start_due_seq on event_start_due (seq)');
    this.addSql('create index event_start_due_age on event_start_due (at)');
    // Of an 'all': events some of whose companions have not come. They are copies, since an event is not kept for ever.
    this.addSql(`
      create table event_sets (
        schedule_id text not null references event_starts on delete cascade,
        first_seq bigint not null,
        keys json not null,
        met boolean[] not null,
        events json[] not null,
        chain integer not null,
        bytes integer not null,
        primary key (schedule_id, first_seq)
      )`);
    // How many runs, one after the other, were begun by events before a run made this one.
    this.addSql('alter table event_inbox add column chain integer not null default 0');
  }
}
