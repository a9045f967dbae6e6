import type { Principal } from '../../domain/auth/principal.ts';
import { type Task, USUAL_CATCH_UP_S } from '../../domain/myntrix/tasks.ts';
import type { AgentAction } from '../../domain/names.ts';
import type { Recurring } from '../../domain/system/schedules.ts';
import type { Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import type { NewEvent } from '../system/events.ts';
import { taskEvent } from './task-events.ts';
import type { TaskSettings, TaskWriter } from './task-write.ts';

/** An order that an agent is given at times. */
export interface AgentSchedule {
  command: AgentAction;
  schedule: string;
  timezone: string;
  timing: Recurring;
}

/** Tasks that were written or removed: Temporal is to follow, and people are told. */
export interface WrittenTasks {
  tasks: string[];
  told: NewEvent[];
}

/** What is done in the transaction that writes an agent. */
export type BesideAgent = (tx: Sql, agent: { id: string; name: string }) => Promise<WrittenTasks>;

type Found = Pick<Task, 'id' | 'owner_id' | 'name' | 'schedule' | 'timezone' | 'enabled'> & {
  command: AgentAction;
  timing: Recurring;
};

/** The tasks that agents' configurations ask for: one an order, of whoever saved it so. */
export const createAgentSchedules =
  (write: TaskWriter) =>
  (user: Principal, wanted: readonly AgentSchedule[]): BesideAgent =>
  async (tx, agent) => {
    const found = await rows<Found>(
      tx,
      `select id, owner_id, name, schedule, timezone, enabled, timing, agent_command as command
       from tasks where agent_id = ? and not removed order by id for update`,
      [agent.id],
    );
    const tasks: string[] = [];
    const told: NewEvent[] = [];
    for (const one of found.filter(({ command }) => !wanted.some((other) => other.command === command))) {
      told.push(...(await write.remove(tx, one.id)));
      tasks.push(one.id);
    }
    for (const one of wanted) {
      const before = found.find(({ command }) => command === one.command);
      const settings = settingsOf(agent, one, before?.enabled ?? true);
      const isSame =
        before?.schedule === one.schedule &&
        before.timezone === one.timezone &&
        before.name === settings.name;
      if (isSame) continue;
      const of = { id: agent.id, command: one.command };
      const id = before?.id ?? (await write.create(tx, user, settings, of));
      if (before) await write.change(tx, user, { ...before, owner_id: user.userId, agent: of }, settings);
      const task = { id, owner_id: user.userId, name: settings.name };
      told.push(taskEvent(task, before ? 'changed' : 'created', { enabled: settings.enabled }));
      tasks.push(id);
    }
    return { tasks, told };
  };

const settingsOf = (
  agent: { id: string; name: string },
  { command, schedule, timezone, timing }: AgentSchedule,
  enabled: boolean,
): TaskSettings => ({
  name: `${command} ${agent.name}`.slice(0, 200),
  description: '',
  ...{ schedule, timezone, timing, enabled },
  action: { type: 'agent', agentId: agent.id, command },
  overlap: 'skip',
  jitterSeconds: 0,
  catchUpSeconds: USUAL_CATCH_UP_S,
  startAt: null,
  endAt: null,
  pauseOnFailure: false,
  notify: { on: [], email: [], webhook: null },
});
