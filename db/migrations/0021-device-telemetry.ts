import { Migration } from '@mikro-orm/migrations';

export class DeviceTelemetry extends Migration {
  override up(): void {
    this.addSql(
      'create index telemetry_series_device on telemetry_series (device_id) where device_id is not null',
    );
    // What each device said last: written about once a second. Times (`at`) are microseconds since 1970.
    this.addSql(`
      create table device_latest (
        device_id uuid not null references devices (id) on delete cascade,
        metric text not null,
        value double precision not null,
        at bigint not null,
        primary key (device_id, metric)
      ) with (fillfactor = 60)`);
    this.addSql(`
      create index jobs_of_devices on jobs (created_at) where type in ('gcode', 'device_upload', 'firmware')`);
    // How agents, devices and hosts were: a row for each change, and who has any. `place` is where it stands in the 3D
    // view: a number that is taken once, so that nothing moves when something comes or goes.
    this.addSql(`
      create table state_subjects (
        kind text not null,
        subject text not null,
        place bigserial not null,
        primary key (kind, subject)
      )`);
    this.addSql(`
      create table state_changes (
        seq bigserial primary key,
        kind text not null,
        subject text not null,
        at timestamptz(3) not null,
        is_gone boolean not null,
        state jsonb not null
      )`);
    this.addSql('create index state_changes_subject on state_changes (kind, subject, at desc, seq desc)');
    this.addSql('create index state_changes_age on state_changes (at)');
    // By triggers: whoever writes a row, in whatever way, cannot forget it. The clock and not the transaction's time,
    // so that the times of one row's changes are in their order.
    this.addSql(`
      create function note_state(of_kind text, of_subject text, gone boolean, now_is jsonb) returns void
      language sql as $$
        insert into state_subjects (kind, subject) select of_kind, of_subject
        where not exists (select from state_subjects s where s.kind = of_kind and s.subject = of_subject)
        on conflict do nothing;
        insert into state_changes (kind, subject, at, is_gone, state)
        values (of_kind, of_subject, clock_timestamp(), gone, now_is);
      $$`);
    const watched = {
      agents: {
        kind: 'agent',
        subject: 'id::text',
        gone: 'new.removed',
        columns: ['name', 'type', 'host', 'status', 'removed', 'configuration'],
        state: (row: string) =>
          `jsonb_build_object('name', ${row}.name, 'type', ${row}.type, 'host', ${row}.host, 'status', ${row}.status,
             'position', ${row}.configuration -> 'position', 'devices', ${row}.configuration -> 'devices')`,
      },
      devices: {
        kind: 'device',
        subject: 'id::text',
        gone: 'new.removed_at is not null',
        columns: ['name', 'type', 'host', 'status', 'desired', 'mocked', 'removed_at', 'configuration'],
        state: (row: string) =>
          `jsonb_build_object('name', ${row}.name, 'type', ${row}.type, 'host', ${row}.host, 'status', ${row}.status,
             'desired', ${row}.desired, 'mocked', ${row}.mocked, 'position', ${row}.configuration -> 'position',
             'visual', ${row}.configuration -> 'visual')`,
      },
      hosts: {
        kind: 'host',
        subject: 'name',
        gone: 'false',
        columns: ['online'],
        state: (row: string) =>
          `jsonb_build_object('name', ${row}.name, 'status', case when ${row}.online then 'online' else 'offline' end)`,
      },
    };
    for (const [table, { kind, subject, gone, columns, state }] of Object.entries(watched)) {
      this.addSql(`
        create function note_${kind}() returns trigger language plpgsql as $$
        begin
          if current_setting('vareon.loading', true) = 'on' then
            return null; -- a backup, which brings the changes along
          end if;
          if tg_op = 'DELETE' then
            perform note_state('${kind}', old.${subject}, true, ${state('old')});
          else
            perform note_state('${kind}', new.${subject}, ${gone}, ${state('new')});
          end if;
          return null;
        end $$`);
      this.addSql(`
        create trigger ${table}_state after insert or delete on ${table}
        for each row execute function note_${kind}()`);
      const changed = columns.map((column) => `old.${column}::text is distinct from new.${column}::text`);
      this.addSql(`
        create trigger ${table}_state_change after update of ${columns.join(', ')} on ${table}
        for each row when (${changed.join(' or ')}) execute function note_${kind}()`);
      // What is there already, as it is now.
      this.addSql(
        `select note_state('${kind}', new.${subject}, ${gone}, ${state('new')}) from ${table} as new`,
      );
    }
  }
}
