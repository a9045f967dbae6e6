import { Migration } from '@mikro-orm/migrations';

export class RunExecutions extends Migration {
  override up(): void {
    // Which of Temporal's executions a run's row tells of: a reset begins another one with the same workflow id.
    this.addSql('alter table runs add column execution text');
  }
}
