import { Migration } from '@mikro-orm/migrations';

export class TasksAgain extends Migration {
  override up(): void {
    // Somebody wants a tick to end: no other attempt of it begins.
    this.addSql('alter table task_runs add column cancel_asked boolean not null default false');
    // A task that an agent's configuration asks for, and changes.
    this.addSql('alter table tasks add column agent_id uuid, add column agent_command text');
    this.addSql(
      'create unique index tasks_agent on tasks (agent_id, agent_command) where agent_id is not null and not removed',
    );
  }
}
