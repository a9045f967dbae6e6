import type { TaskAction } from '../../domain/myntrix/task-actions.ts';
import type { TaskTrigger } from '../../domain/myntrix/task-runs.ts';
import type { OverlapPolicy, ToldKind } from '../../domain/myntrix/tasks.ts';
import type { Recurring } from '../../domain/system/schedules.ts';
import type { Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import type { NewEvent } from '../system/events.ts';
import { jobEvent } from './agent-events.ts';
import { tickEvent } from './task-events.ts';

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

/** A tick that goes on, or is to begin. */
export interface OpenTick {
  id: string;
  at: Date;
  trigger: TaskTrigger;
  status: 'pending' | 'running';
  /** The newest one that began; 0 before. */
  attempt: number;
  /** Of that attempt, or of one before it that was a run. */
  runId: string | null;
  /** Somebody wants it to end. */
  cancelAsked: boolean;
}

/** A tick that is open and waits for no other one, with its task, which is locked if you wish so. */
export async function openTick(
  sql: Sql,
  id: string,
  lock?: 'lock',
): Promise<{ task: TaskRow; tick: OpenTick } | undefined> {
  // First the one, then the other: what the lock waited for is seen.
  const [task] = await rows<TaskRow>(
    sql,
    `select ${taskColumns} from tasks t where t.id = (select task_id from task_runs where id = ?)
     ${lock ? 'for update' : ''}`,
    [id],
  );
  const [found] = await rows<Omit<OpenTick, 'at'> & { at_ms: number }>(
    sql,
    `select id, (extract(epoch from scheduled_at) * 1000)::float8 as at_ms, trigger, status, attempt,
       run_id as "runId", cancel_asked as "cancelAsked"
     from task_runs where id = ? and status in ('pending', 'running') and not buffered`,
    [id],
  );
  if (!task || !found) return undefined;
  const { at_ms, ...tick } = found;
  return { task, tick: { ...tick, at: new Date(at_ms) } };
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

export async function setNext(tx: Sql, task: TaskRow, next: Date | undefined): Promise<void> {
  await tx.execute('update tasks set next_at = ? where id = ?', [next ?? null, task.id]);
  task.next_ms = next ? +next : null;
}
