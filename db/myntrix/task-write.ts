import { v7 as uuidv7 } from 'uuid';
import type { Principal } from '../../domain/auth/principal.ts';
import type { TaskAction } from '../../domain/myntrix/task-actions.ts';
import type { TaskClock } from '../../domain/myntrix/task-clock.ts';
import type { OverlapPolicy, TaskNotify } from '../../domain/myntrix/tasks.ts';
import type { AgentAction } from '../../domain/names.ts';
import type { Envelope } from '../../domain/system/envelope.ts';
import type { Recurring } from '../../domain/system/schedules.ts';
import { type CheckedDefinition, writeVersion } from '../neosyntis/workflow-versions.ts';
import type { Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import type { NewEvent } from '../system/events.ts';
import { wantSchedule } from '../system/schedules.ts';
import { taskEvent } from './task-events.ts';
import { noteMissed } from './task-missed.ts';
import { endTicks } from './task-overlap.ts';
import { lockTask, setNext } from './task-rows.ts';

/** Where a webhook's secret is sealed for. */
export const taskPlace = (id: string): string => `tasks/${id}`;

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

/** Of whom a task is: somebody's, and maybe asked for by an agent's configuration. */
export interface TaskOf {
  id: string;
  owner_id: string;
  agent?: { id: string; command: AgentAction };
}

export interface TaskWriterDeps {
  envelope: Envelope;
  clock: TaskClock;
  idOf(taskId: string, at: Date): string;
}

/** Writes tasks, with their steps and their schedules, in transactions of others. */
export function createTaskWriter({ envelope, clock, idOf }: TaskWriterDeps) {
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

  async function write(tx: Sql, task: TaskOf, settings: TaskSettings, user: Principal): Promise<void> {
    const { notify, secret } = settings;
    const url = notify.webhook?.url ?? null;
    const sealed =
      typeof secret === 'string' && url !== null ? envelope.seal(secret, taskPlace(task.id)) : null;
    const keeps = url !== null && secret === undefined;
    await tx.execute(
      `insert into tasks as t (id, owner_id, name, description, schedule, timezone, timing, action, enabled, overlap,
         jitter_seconds, catch_up_seconds, start_at, end_at, pause_on_failure, told, email, webhook_url, sealed,
         agent_id, agent_command, created_at, updated_at)
       values (?, ?, ?, ?, ?, ?, ?::jsonb, ?::json, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, now(), now())
       on conflict (id) do update set owner_id = excluded.owner_id, name = excluded.name, description = excluded.description,
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
        ...[task.agent?.id ?? null, task.agent?.command ?? null],
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
    settleUntilNow,
    lookFromNow,

    /** A new task. @returns its id */
    async create(tx: Sql, user: Principal, settings: TaskSettings, agent?: TaskOf['agent']): Promise<string> {
      const id = uuidv7();
      await write(tx, { id, owner_id: user.userId, ...(agent ? { agent } : {}) }, settings, user);
      await lookFromNow(tx, id);
      return id;
    },

    /** One that is locked, as it is from now on. */
    async change(
      tx: Sql,
      user: Principal,
      current: TaskOf & { timing: Recurring; enabled: boolean },
      settings: TaskSettings,
    ): Promise<void> {
      const isOther = json(settings.timing) !== json(current.timing) || settings.enabled !== current.enabled;
      if (isOther) await settleUntilNow(tx, current.id, 'The task was changed or paused before it began.');
      await write(tx, current, settings, user);
      if (isOther) await lookFromNow(tx, current.id);
    },

    /** Nobody finds it any more; ticks that wait are cancelled, and those that go on end. */
    async remove(tx: Sql, id: string): Promise<NewEvent[]> {
      const task = await lockTask(tx, id);
      if (!task) return [];
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
      return [...told, taskEvent(task, 'deleted')];
    },
  };
}

export type TaskWriter = ReturnType<typeof createTaskWriter>;

const textArray = (texts: readonly string[]): string =>
  `{${texts.map((text) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`).join()}}`;
