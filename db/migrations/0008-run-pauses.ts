import { Migration } from '@mikro-orm/migrations';

export class RunPauses extends Migration {
  override up(): void {
    // What was asked for last: true to pause, false to resume, null when nobody asked.
    this.addSql('alter table runs add column pause_wanted boolean');
  }
}
