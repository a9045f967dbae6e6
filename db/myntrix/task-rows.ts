import { defineEntity, p } from '@mikro-orm/postgresql';
import type { TaskAction } from '../../domain/myntrix/task-actions.ts';
import type { TaskClock } from '../../domain/myntrix/task-clock.ts';
import type { TaskRunStatus, TaskTrigger } from '../../domain/myntrix/task-runs.ts';
import type { OverlapPolicy, ToldKind } from '../../domain/myntrix/tasks.ts';
import { latestMs, type Recurring } from '../../domain/system/schedules.ts';
import type { Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import type { NewEvent } from '../system/events.ts';
import { jobEvent } from './agent-events.ts';
import { tickEvent } from './task-events.ts';

export const TaskEntity = defineEntity({
  name: 'Task',
  tableName: 'tasks',
  properties: {
    id: p.uuid().primary(),
    owner_id: p.uuid(),
    name: p.text(),
    description: p.text(),
    schedule: p.text(),
    timezone: p.text(),
    timing: p.json().$type<Recurring>(),
    action: p.json().$type<TaskAction>().columnType('json'),
    enabled: p.boolean(),
    overlap: p.text().$type<OverlapPolicy>(),
    jitter_seconds: p.integer(),
    catch_up_seconds: p.integer(),
    start_at: p.datetime(3).nullable(),
    end_at: p.datetime(3).nullable(),
    pause_on_failure: p.boolean(),
    paused_reason: p.text().nullable(),
    told: p.array().$type<ToldKind[]>().columnType('text[]'),
    email: p.array().$type<string[]>().columnType('text[]'),
    webhook_url: p.text().nullable(),
    sealed: p.blob().nullable(),
    key_id: p.text().nullable().generated("encode(substring(sealed from 2 for 8), 'hex') stored"),
    /** What its steps are saved as, when it runs some. */
    workflow_id: p.uuid().nullable(),
    /** The first nominal time that has no row yet. */
    next_at: p.datetime(3).nullable(),
    removed: p.boolean().default(false),
    created_at: p.datetime(3),
    updated_at: p.datetime(3),
  },
});

export const TaskRunEntity = defineEntity({
  name: 'TaskRun',
  tableName: 'task_runs',
  properties: {
    id: p.uuid().primary(),
    task_id: p.uuid(),
    trigger: p.text().$type<TaskTrigger>(),
    scheduled_at: p.datetime(3),
    status: p.text().$type<TaskRunStatus>(),
    /** It waits for the end of one before. */
    buffered: p.boolean().default(false),
    start_time: p.datetime(3).nullable(),
    end_time: p.datetime(3).nullable(),
    attempt: p.integer().default(0),
    overran: p.boolean().default(false),
    reason: p.text().nullable(),
    run_id: p.uuid().nullable(),
    has_job: p.boolean(),
    rerun_of: p.uuid().nullable(),
    /** Somebody is to be told of it; null when nobody is, or was. */
    notify_at: p.datetime(3).nullable(),
    created_at: p.datetime(3),
  },
});

/** A task as its ticks need it. */
export interface TaskRow {
  id: string;
  owner_id: string;
  name: string;
  timing: Recurring;
  action: TaskAction;
  enabled: boolean;
  overlap: OverlapPolicy;
  pause_on_failure: boolean;
  workflow_id: string | null;
  /** `next_at`, in ms since 1970. */
  next_ms: number | null;
  removed: boolean;
  /** Of which ticks somebody is told. */
  told: ToldKind[];
}

export const taskColumns = `t.id, t.owner_id, t.name, t.timing, t.action, t.enabled, t.overlap, t.pause_on_failure,
  t.workflow_id, (extract(epoch from t.next_at) * 1000)::float8 as next_ms, t.removed,
  case when t.webhook_url is null and t.email = '{}' then '{}' else t.told end as told`;

/** Locks a task: what happens to its ticks happens one after the other. */
export async function lockTask(tx: Sql, id: string): Promise<TaskRow | undefined> {
  const [task] = await rows<TaskRow>(tx, `select ${taskColumns} from tasks t where t.id = ? for update`, [
    id,
  ]);
  return task;
}

export interface NewTick {
  id: string;
  at: Date;
  trigger: TaskTrigger;
  status: 'pending' | 'skipped' | 'missed';
  isBuffered?: boolean;
  reason?: string;
  rerunOf?: string;
}

/** Writes a tick, and the job of one that is to begin. @returns what is to be told of it */
export async function insertTick(tx: Sql, task: TaskRow, tick: NewTick): Promise<NewEvent[]> {
  const { id, at, trigger, status, isBuffered = false, reason, rerunOf } = tick;
  const begins = status === 'pending';
  await tx.execute(
    `insert into task_runs (id, task_id, trigger, scheduled_at, status, buffered, end_time, reason, has_job, rerun_of,
       notify_at, created_at)
     values (?, ?, ?, ?, ?, ?, case when ? then null else now() end, ?, ?, ?, case when ? then now() end, now())`,
    [
      ...[id, task.id, trigger, at, status, isBuffered, begins, reason ?? null, begins, rerunOf ?? null],
      status !== 'pending' && task.told.includes(status),
    ],
  );
  const told = tickEvent(task, { id, status, at, reason });
  if (!begins) return [told];
  await insertJobs(tx, task, [{ id, at }]);
  return [jobEvent({ id, ownerId: task.owner_id, status }), told];
}

export async function insertJobs(tx: Sql, task: TaskRow, ticks: { id: string; at: Date }[]): Promise<void> {
  await tx.execute(
    `insert into jobs (id, type, name, owner_id, status, details, created_at, updated_at)
     select x.id, 'task_run', ?, ?, 'pending', x.details, now(), now()
     from jsonb_to_recordset(?::jsonb) as x(id uuid, details jsonb)`,
    [
      task.name,
      task.owner_id,
      json(
        ticks.map(({ id, at }) => ({
          id,
          details: { task_id: task.id, task_run_id: id, scheduled_at: at.toISOString() },
        })),
      ),
    ],
  );
}

/** Rows of one look back; of what is older than these it is said how many they are. */
export const MISSED_LIMIT = 1_000;

/** A tick that the server has may be on its way for so long. */
const ON_ITS_WAY_MS = 30_000;

/**
 * Notes what should have come and did not: each nominal time from the first that has no row up to `to`.
 * @param idOf the id of the row of a nominal time
 * @returns how many were noted
 */
export async function noteMissed(
  tx: Sql,
  task: TaskRow,
  to: Date,
  { clock, idOf, reason }: { clock: TaskClock; idOf(taskId: string, at: Date): string; reason: string },
): Promise<number> {
  if (task.next_ms === null || task.next_ms > +to) return 0;
  const times = clock.between(task.timing, new Date(task.next_ms), to, MISSED_LIMIT);
  const found = await rows<{ id: string }>(
    tx,
    `insert into task_runs (id, task_id, trigger, scheduled_at, status, end_time, reason, has_job, notify_at, created_at)
     select x.id, ?, 'schedule', x.at, 'missed', now(), ?, false, case when ? and x.last then now() end, now()
     from jsonb_to_recordset(?::jsonb) as x(id uuid, at timestamptz, last boolean)
     on conflict (task_id, scheduled_at) where trigger in ('schedule', 'backfill') do nothing returning id`,
    [
      task.id,
      reason,
      task.told.includes('missed'),
      // Of many at once people are told once.
      json(times.map((at, n) => ({ id: idOf(task.id, at), at, last: n === times.length - 1 }))),
    ],
  );
  await setNext(tx, task, clock.next(task.timing, to));
  return found.length;
}

export async function setNext(tx: Sql, task: TaskRow, next: Date | undefined): Promise<void> {
  await tx.execute('update tasks set next_at = ? where id = ?', [next ?? null, task.id]);
  task.next_ms = next ? +next : null;
}

/** Up to when every tick that did not come is missed. */
export const missedUntil = (timing: Recurring, now = Date.now()): Date =>
  new Date(now - latestMs(timing) - ON_ITS_WAY_MS);
