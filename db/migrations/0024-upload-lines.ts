import { Migration } from '@mikro-orm/migrations';

export class UploadLines extends Migration {
  override up(): void {
    // Of the file, from 1: a program that was interrupted cannot go on beyond it. Unknown of uploads before this one.
    this.addSql('alter table device_uploads add column last_line integer');
  }
}
