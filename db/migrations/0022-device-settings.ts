import { Migration } from '@mikro-orm/migrations';

export class DeviceSettingsTable extends Migration {
  override up(): void {
    this.addSql(`
      create table device_settings (
        id uuid primary key,
        device_id uuid not null unique references devices (id) on delete cascade,
        settings json not null,
        desired json not null,
        reported jsonb not null default '{}',
        problems jsonb not null default '{}',
        reported_at timestamptz(3),
        created_by uuid,
        created_at timestamptz(3) not null,
        updated_at timestamptz(3) not null
      )`);
  }
}
