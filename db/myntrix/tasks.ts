import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type { NotifyUpdate, Task, TaskNotify } from '../../domain/myntrix/tasks.ts';
import type { Recurring } from '../../domain/system/schedules.ts';
import type { Database, Sql } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { iso, type Page, pageClause, rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { taskEvent } from './task-events.ts';
import { tickColumns } from './task-history.ts';
import type { TaskSettings, TaskWriter } from './task-write.ts';

/** A task as it is; when it comes next is to be worked out. */
export type StoredTask = Omit<Task, 'nextRuns'> & { timing: Recurring };

export interface TaskFilter extends Page {
  name?: string;
  enabled?: boolean;
}

const columns = `t.id, t.owner_id, t.name, t.description, t.schedule, t.timezone, t.timing, t.action, t.enabled, t.overlap,
  t.jitter_seconds as "jitterSeconds", t.catch_up_seconds as "catchUpSeconds", ${iso('t.start_at', '"startAt"')},
  ${iso('t.end_at', '"endAt"')}, t.pause_on_failure as "pauseOnFailure", t.agent_id as "agentId", t.paused_reason as "pausedReason",
  json_build_object('on', t.told, 'email', t.email, 'webhook', case when t.webhook_url is not null then
    json_build_object('url', t.webhook_url, 'hasSecret', t.sealed is not null) end) as notify,
  s.problem, ${iso('t.created_at', '"createdAt"')}, ${iso('t.updated_at', '"updatedAt"')},
  (select to_json(x) from (select ${tickColumns("''")} from task_runs r where r.task_id = t.id
    and r.status not in ('skipped', 'missed') order by r.id desc limit 1) x) as "lastRun"`;

const tables = 'tasks t left join schedules s on s.subject_id = t.id';

export type TaskRepository = ReturnType<typeof createTaskRepository>;

/** Tasks. Whoever does not own one (administrators own all) does not find it. */
export function createTaskRepository({ em }: Database, write: TaskWriter) {
  async function get(user: Principal, id: string, sql: Sql = em): Promise<StoredTask> {
    const owned = ownedBy(user, 't.owner_id');
    const [task] = await rows<StoredTask>(
      sql,
      `select ${columns} from ${tables} where t.id = ? and not t.removed and ${owned.where}`,
      [id, ...owned.params],
    );
    if (!task) throw new AppError('not_found', `There is no task ${id}.`);
    return task;
  }

  /** @throws AppError `not_found`; `conflict` when it is changed with its agent */
  async function own(user: Principal, id: string, sql: Sql): Promise<StoredTask> {
    const task = await get(user, id, sql);
    if (task.agentId === null) return task;
    throw new AppError(
      'conflict',
      `The task belongs to agent ${task.agentId}: it is changed by \`schedule\` of the agent’s configuration. It can be paused and resumed.`,
    );
  }

  return {
    get: (user: Principal, id: string): Promise<StoredTask> => get(user, id),

    async list(user: Principal, filter: TaskFilter): Promise<StoredTask[]> {
      const owned = ownedBy(user, 't.owner_id');
      const page = pageClause(filter, 't.id');
      const wanted = [
        ...(filter.name === undefined ? [] : [{ where: 'and t.name = ?', param: filter.name }]),
        ...(filter.enabled === undefined ? [] : [{ where: 'and t.enabled = ?', param: filter.enabled }]),
      ];
      return rows<StoredTask>(
        em,
        `select ${columns} from ${tables} where not t.removed and ${owned.where}
         ${wanted.map(({ where }) => where).join(' ')} ${page.where} ${page.tail}`,
        [...owned.params, ...wanted.map(({ param }) => param), ...page.params],
      );
    },

    create: (user: Principal, settings: TaskSettings): Promise<{ task: StoredTask; events: StoredEvent[] }> =>
      em.fork().transactional(async (tx) => {
        const task = await get(user, await write.create(tx, user, settings), tx);
        return {
          task,
          events: await appendEvents(tx, [taskEvent(task, 'created', { enabled: task.enabled })]),
        };
      }),

    /** @param change is called with the row locked. @throws AppError `not_found`, and what `change` does */
    update: (
      user: Principal,
      id: string,
      change: (current: StoredTask) => TaskSettings,
    ): Promise<{ task: StoredTask; events: StoredEvent[] }> =>
      em.fork().transactional(async (tx) => {
        await tx.execute('select 1 from tasks where id = ? for update', [id]);
        const current = await own(user, id, tx);
        await write.change(tx, user, current, change(current));
        const task = await get(user, id, tx);
        return {
          task,
          events: await appendEvents(tx, [taskEvent(task, 'changed', { enabled: task.enabled })]),
        };
      }),

    /** Pauses or resumes it. @throws AppError `not_found` */
    setEnabled: (
      user: Principal,
      id: string,
      enabled: boolean,
    ): Promise<{ task: StoredTask; events: StoredEvent[] }> =>
      em.fork().transactional(async (tx) => {
        await tx.execute('select 1 from tasks where id = ? for update', [id]);
        const current = await get(user, id, tx);
        if (current.enabled === enabled) return { task: current, events: [] };
        await write.settleUntilNow(tx, id, 'The task was paused before it began.');
        await tx.execute(
          'update tasks set enabled = ?, paused_reason = null, updated_at = now() where id = ?',
          [enabled, id],
        );
        await tx.execute('update schedules set paused = ?, updated_at = now() where subject_id = ?', [
          !enabled,
          id,
        ]);
        await write.lookFromNow(tx, id);
        const task = await get(user, id, tx);
        const told = taskEvent(task, enabled ? 'resumed' : 'paused');
        return { task, events: await appendEvents(tx, [told]) };
      }),

    /** @throws AppError `not_found`, `conflict` */
    remove: (user: Principal, id: string): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        await own(user, id, tx);
        return appendEvents(tx, await write.remove(tx, id));
      }),
  };
}

/** What somebody changes of whom is told. */
export const notifyOf = (before: TaskNotify, { on, email, webhook }: NotifyUpdate): TaskNotify => ({
  on: [...new Set(on ?? before.on)],
  email: [...new Set(email ?? before.email)],
  webhook:
    webhook === undefined ? before.webhook : webhook === null ? null : { url: webhook.url, hasSecret: false },
});
