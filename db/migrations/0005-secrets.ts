import { Migration } from '@mikro-orm/migrations';

/** The id of the key that sealed a value: bytes 2 to 9 of the envelope. */
const keyIdOf = (column: string) => `encode(substring(${column} from 2 for 8), 'hex')`;

export class Secrets extends Migration {
  override up(): void {
    this.addSql(`
      create table secrets (
        id uuid primary key,
        owner_id uuid not null references users on delete cascade,
        name text not null,
        shared boolean not null,
        sealed bytea not null,
        key_id text generated always as (${keyIdOf('sealed')}) stored,
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null
      )`);
    this.addSql('create unique index secrets_name on secrets (owner_id, name)');
    this.addSql('create unique index secrets_shared on secrets (name) where shared');
    this.addSql('create index secrets_key on secrets (key_id, id)');
    this.addSql(
      `alter table outbox_mails add column key_id text generated always as (${keyIdOf('sealed')}) stored`,
    );
    this.addSql('create index outbox_mails_key on outbox_mails (key_id, id) where sealed is not null');
    this.retiredKeys();
    this.grants();
  }

  /** Nothing is sealed any more with a key that was rotated out, whoever still has it in memory. */
  private retiredKeys(): void {
    this.addSql('create table retired_keys (id text primary key, retired_at timestamptz(3) not null)');
    this.addSql(`
      create function refuse_retired_key() returns trigger language plpgsql as $$
      begin
        if exists (select from retired_keys where id = ${keyIdOf('new.sealed')}) then
          raise exception 'sealed with a key that was retired' using errcode = 'serialization_failure';
        end if;
        return new;
      end $$`);
    for (const table of ['secrets', 'outbox_mails'])
      this.addSql(`
        create trigger ${table}_key before insert or update of sealed on ${table}
          for each row when (new.sealed is not null) execute function refuse_retired_key()`);
  }

  /** Steps that may ask for their run's secrets, and from where. */
  private grants(): void {
    this.addSql(`
      create table secret_grants (
        run_id uuid not null references runs on delete cascade,
        path text not null,
        iteration integer[] not null,
        host text not null,
        granted_at timestamptz(3) not null,
        primary key (run_id, path, iteration)
      )`);
  }
}
