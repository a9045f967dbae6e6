import { Migration } from '@mikro-orm/migrations';

export class AuthAndSystem extends Migration {
  override up(): void {
    this.audit();
    this.accounts();
    this.credentials();
    this.mail();
  }

  private audit(): void {
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
    this.addSql(`
      create function refuse_update() returns trigger language plpgsql as $body$
      begin
        raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
      end $body$`);
    this.addSql(`
      create trigger audit_log_append_only before update on audit_log
        for each statement execute function refuse_update()`);
  }

  private accounts(): void {
    this.addSql(`
      create table users (
        id uuid primary key,
        username text not null,
        email text not null,
        password_hash text not null,
        role text not null check (role in ('viewer', 'operator', 'admin')),
        is_active boolean not null,
        is_verified boolean not null,
        granted_permissions jsonb not null,
        token_epoch integer not null default 0,
        created_at timestamptz(3) not null
      )`);
    this.addSql('create unique index users_username on users (lower(username))');
    this.addSql('create unique index users_email on users (lower(email))');
    this.addSql(`
      create table email_tokens (
        hash bytea primary key,
        user_id uuid not null references users on delete cascade,
        purpose text not null check (purpose in ('verify', 'reset')),
        expires_at timestamptz(3) not null
      )`);
    this.addSql('create index email_tokens_user on email_tokens (user_id, purpose)');
    // The shape that rate-limiter-flexible asks for; expire is in milliseconds since 1970.
    this.addSql(`
      create table rate_limits (key varchar(255) primary key, points integer not null default 0, expire bigint)`);
    this.addSql('create index rate_limits_expire on rate_limits (expire)');
  }

  private credentials(): void {
    this.addSql(`
      create table sessions (
        id uuid primary key,
        user_id uuid not null references users on delete cascade,
        created_at timestamptz(3) not null,
        last_used_at timestamptz(3) not null,
        revoked_at timestamptz(3)
      )`);
    this.addSql('create index sessions_user on sessions (user_id)');
    this.addSql(`
      create table refresh_tokens (
        hash bytea primary key,
        session_id uuid not null references sessions on delete cascade,
        used_at timestamptz(3)
      )`);
    this.addSql('create index refresh_tokens_session on refresh_tokens (session_id)');
    this.addSql(`
      create table api_tokens (
        id uuid primary key,
        user_id uuid not null references users on delete cascade,
        name text not null,
        permissions jsonb not null,
        hash bytea not null,
        expires_at timestamptz(3),
        created_at timestamptz(3) not null,
        last_used_at timestamptz(3)
      )`);
    this.addSql('create index api_tokens_user on api_tokens (user_id, id desc)');
    this.addSql(`
      create table ws_tickets (
        hash bytea primary key,
        session_id uuid references sessions on delete cascade,
        api_token_id uuid references api_tokens on delete cascade,
        expires_at timestamptz(3) not null,
        check (num_nonnulls(session_id, api_token_id) = 1)
      )`);
    this.addSql('create index ws_tickets_expiry on ws_tickets (expires_at)');
  }

  private mail(): void {
    this.addSql(`
      create table outbox_mails (
        id uuid primary key,
        "to" text not null,
        subject text not null,
        kind text not null,
        sealed bytea,
        state text not null check (state in ('queued', 'delivered', 'expired', 'failed')),
        attempts integer not null default 0,
        last_error text,
        expires_at timestamptz(3) not null,
        created_at timestamptz(3) not null,
        delivered_at timestamptz(3)
      )`);
    this.addSql(
      "create index outbox_mails_open on outbox_mails (expires_at) where state = 'queued' or sealed is not null",
    );
  }
}
