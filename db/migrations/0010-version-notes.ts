import { Migration } from '@mikro-orm/migrations';

export class VersionNotes extends Migration {
  override up(): void {
    // What whoever saved a version said about it.
    this.addSql('alter table workflow_versions add column note text');
  }
}
