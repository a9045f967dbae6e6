import { v7 as uuidv7 } from 'uuid';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type { TaskAction } from '../../domain/myntrix/task-actions.ts';
import type { TaskClock } from '../../domain/myntrix/task-clock.ts';
import type { NotifyUpdate, OverlapPolicy, Task, TaskNotify } from '../../domain/myntrix/tasks.ts';
import type { Envelope } from '../../domain/system/envelope.ts';
import type { Recurring } from '../../domain/system/schedules.ts';
import { type CheckedDefinition, writeVersion } from '../neosyntis/workflow-versions.ts';
import type { Database, Sql } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { iso, json, type Page, pageClause, rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { wantSchedule } from '../system/schedules.ts';
import { taskEvent } from './task-events.ts';
import { tickColumns } from './task-history.ts';
import { endTicks } from './task-overlap.ts';
import { lockTask, noteMissed, setNext } from './task-rows.ts';

/** Where a webhook's secret is sealed for. */
export const taskPlace = (id: string): string => `tasks/${id}`;

/** A task as it is; when it comes next is to be worked out. */
export type StoredTask = Omit<Task, 'nextRuns'> & { timing: Recurring };

/** What a task is, checked. */
export interface TaskSettings {
  name: string;
  description: string;
  schedule: string;
  timezone: string;
  timing: Recurring;
  action: TaskAction;
  /** What the action's steps are saved as. */
  definition?: CheckedDefinition | undefined;
  enabled: boolean;
  overlap: OverlapPolicy;
  jitterSeconds: number;
  catchUpSeconds: number;
  startAt: string | null;
  endAt: string | null;
  pauseOnFailure: boolean;
  notify: TaskNotify;
  /** Seals what is sent; without it the one before stays. */
  secret?: string | null | undefined;
}

export interface TaskFilter extends Page {
  name?: string;
  enabled?: boolean;
}

const columns = `t.id, t.owner_id, t.name, t.description, t.schedule, t.timezone, t.timing, t.action, t.enabled, t.overlap,
  t.jitter_seconds as "jitterSeconds", t.catch_up_seconds as "catchUpSeconds", ${iso('t.start_at', '"startAt"')},
  ${iso('t.end_at', '"endAt"')}, t.pause_on_failure as "pauseOnFailure", t.paused_reason as "pausedReason",
  json_build_object('on', t.told, 'email', t.email, 'webhook', case when t.webhook_url is not null then
    json_build_object('url', t.webhook_url, 'hasSecret', t.sealed is not null) end) as notify,
  s.problem, ${iso('t.created_at', '"createdAt"')}, ${iso('t.updated_at', '"updatedAt"')},
  (select to_json(x) from (select ${tickColumns("''")} from task_runs r where r.task_id = t.id
    and r.status not in ('skipped', 'missed') order by r.id desc limit 1) x) as "lastRun"`;

const tables = 'tasks t left join schedules s on s.subject_id = t.id';

export type TaskRepository = ReturnType<typeof createTaskRepository>;

export interface TaskDeps {
  database: Database;
  envelope: Envelope;
  clock: TaskClock;
  idOf(taskId: string, at: Date): string;
}

/** Tasks. Whoever does not own one (administrators own all) does not find it. */
export function createTaskRepository({ database: { em }, envelope, clock, idOf }: TaskDeps) {
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

  /** What was to come until now and has no row will not come any more. */
  async function settleUntilNow(tx: Sql, id: string, reason: string): Promise<void> {
    const task = await lockTask(tx, id);
    if (task?.enabled) await noteMissed(tx, task, new Date(), { clock, idOf, reason });
  }

  /** What it runs by steps is a workflow of its own, hidden while it is not needed. */
  async function saveSteps(
    tx: Sql,
    task: { id: string; owner_id: string; name: string },
    definition: CheckedDefinition | undefined,
    user: Principal,
  ): Promise<void> {
    if (!definition) return;
    const [found] = await rows<{ id: string; version: number }>(
      tx,
      'select w.id, w.version from workflows w join tasks t on t.workflow_id = w.id where t.id = ?',
      [task.id],
    );
    const id = found?.id ?? uuidv7();
    const version = (found?.version ?? 0) + 1;
    await tx.execute(
      `insert into workflows (id, owner_id, name, description, version, task_id, created_at, updated_at)
       values (?, ?, ?, null, ?, ?, now(), now())
       on conflict (id) do update set name = excluded.name, version = excluded.version, updated_at = now()`,
      [id, task.owner_id, task.name, version, task.id],
    );
    await writeVersion(tx, id, version, definition, user);
    await tx.execute('update tasks set workflow_id = ? where id = ?', [id, task.id]);
  }

  async function write(
    tx: Sql,
    task: { id: string; owner_id: string },
    settings: TaskSettings,
    user: Principal,
  ): Promise<void> {
    const { notify, secret } = settings;
    const url = notify.webhook?.url ?? null;
    const sealed =
      typeof secret === 'string' && url !== null ? envelope.seal(secret, taskPlace(task.id)) : null;
    const keeps = url !== null && secret === undefined;
    await tx.execute(
      `insert into tasks as t (id, owner_id, name, description, schedule, timezone, timing, action, enabled, overlap,
         jitter_seconds, catch_up_seconds, start_at, end_at, pause_on_failure, told, email, webhook_url, sealed,
         created_at, updated_at)
       values (?, ?, ?, ?, ?, ?, ?::jsonb, ?::json, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, now(), now())
       on conflict (id) do update set name = excluded.name, description = excluded.description,
         schedule = excluded.schedule, timezone = excluded.timezone, timing = excluded.timing,
         action = excluded.action, enabled = excluded.enabled, overlap = excluded.overlap,
         jitter_seconds = excluded.jitter_seconds, catch_up_seconds = excluded.catch_up_seconds,
         start_at = excluded.start_at, end_at = excluded.end_at, pause_on_failure = excluded.pause_on_failure,
         told = excluded.told, email = excluded.email, webhook_url = excluded.webhook_url,
         sealed = ${keeps ? 't.sealed' : 'excluded.sealed'},
         paused_reason = case when excluded.enabled then null else t.paused_reason end, updated_at = now()`,
      [
        ...[
          task.id,
          task.owner_id,
          settings.name,
          settings.description,
          settings.schedule,
          settings.timezone,
        ],
        ...[json(settings.timing), json(settings.action), settings.enabled, settings.overlap],
        ...[settings.jitterSeconds, settings.catchUpSeconds, settings.startAt, settings.endAt],
        ...[settings.pauseOnFailure, textArray(notify.on), textArray(notify.email), url, sealed],
      ],
    );
    await saveSteps(tx, { ...task, name: settings.name }, settings.definition, user);
    await wantSchedule(tx, { kind: 'task', subjectId: task.id, timing: settings.timing });
    await tx.execute('update schedules set paused = ? where subject_id = ?', [!settings.enabled, task.id]);
  }

  /** Its ticks are looked for from now on. */
  async function lookFromNow(tx: Sql, id: string): Promise<void> {
    const task = await lockTask(tx, id);
    if (task) await setNext(tx, task, task.enabled ? clock.next(task.timing, new Date()) : undefined);
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
        const id = uuidv7();
        await write(tx, { id, owner_id: user.userId }, settings, user);
        await lookFromNow(tx, id);
        const task = await get(user, id, tx);
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
        const current = await get(user, id, tx);
        const settings = change(current);
        const isOther =
          json(settings.timing) !== json(current.timing) || settings.enabled !== current.enabled;
        if (isOther) await settleUntilNow(tx, id, 'The task was changed or paused before it began.');
        await write(tx, current, settings, user);
        if (isOther) await lookFromNow(tx, id);
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
        await settleUntilNow(tx, id, 'The task was paused before it began.');
        await tx.execute(
          'update tasks set enabled = ?, paused_reason = null, updated_at = now() where id = ?',
          [enabled, id],
        );
        await tx.execute('update schedules set paused = ?, updated_at = now() where subject_id = ?', [
          !enabled,
          id,
        ]);
        await lookFromNow(tx, id);
        const task = await get(user, id, tx);
        const told = taskEvent(task, enabled ? 'resumed' : 'paused');
        return { task, events: await appendEvents(tx, [told]) };
      }),

    /** Nobody finds it any more; ticks that wait are cancelled, and those that go on end. @throws AppError `not_found` */
    remove: (user: Principal, id: string): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const task = await lockTask(tx, id);
        const current = await get(user, id, tx);
        if (!task) throw new AppError('not_found', `There is no task ${id}.`);
        await tx.execute(
          `update tasks set removed = true, enabled = false, next_at = null, sealed = null, updated_at = now()
           where id = ?`,
          [id],
        );
        const waiting = await rows<{ id: string }>(
          tx,
          "select id from task_runs where task_id = ? and buffered and status = 'pending'",
          [id],
        );
        const told = await endTicks(tx, task, waiting, 'The task was deleted.');
        await tx.execute('update workflows set deleted_at = now() where task_id = ?', [id]);
        await wantSchedule(tx, { kind: 'task', subjectId: id, timing: undefined });
        return appendEvents(tx, [...told, taskEvent(current, 'deleted')]);
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

const textArray = (texts: readonly string[]): string =>
  `{${texts.map((text) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`).join()}}`;
