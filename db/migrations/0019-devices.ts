import { Migration } from '@mikro-orm/migrations';

export class Devices extends Migration {
  override up(): void {
    // `claim` names what only one device at a time can be connected to: a port of a host, a socket.
    this.addSql(`
      create table devices (
        id uuid primary key,
        name text not null,
        type text not null,
        connection_string text not null,
        configuration json not null,
        host text not null,
        claim text,
        desired text not null,
        epoch bigint not null default 0,
        taken bigint not null default 0,
        status text not null,
        status_reason text,
        status_since timestamptz(3) not null,
        last_seen timestamptz(3),
        protocol text,
        firmware_name text,
        firmware_version text,
        mocked boolean not null default false,
        safety jsonb,
        emergency_note text,
        interrupted jsonb,
        reported_generation bigint,
        reported_seq bigint not null default -1,
        created_by uuid,
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null,
        version integer not null default 1,
        removed_at timestamptz(3)
      )`);
    this.addSql('create index devices_host on devices (host)');
    this.addSql('create index devices_untaken on devices (id) where taken < epoch');
    this.addSql(`
      create unique index devices_claim on devices (claim)
        where claim is not null and (desired = 'connected' or status in ('connecting', 'connected'))`);
    // Written before it is sent, as `unknown`: what is known of it later replaces that.
    this.addSql(`
      create table device_commands (
        id uuid primary key,
        device_id uuid not null references devices (id) on delete cascade,
        kind text not null,
        command text not null,
        state text not null,
        response text,
        reason text,
        is_settled boolean not null,
        requested_by uuid,
        run_id uuid,
        origin uuid unique,
        epoch bigint not null,
        created_at timestamptz(3) not null,
        sent_at timestamptz(3),
        answered_at timestamptz(3)
      )`);
    this.addSql('create index device_commands_device on device_commands (device_id, id desc)');
    this.addSql('create index device_commands_open on device_commands (device_id) where not is_settled');
    this.addSql('create index device_commands_age on device_commands (created_at)');
  }
}
