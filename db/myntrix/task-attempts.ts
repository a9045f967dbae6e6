import { type Permission, permissionsOf } from '../../domain/auth/permissions.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import { type Attempts, attemptsOf, type TaskAction } from '../../domain/myntrix/task-actions.ts';
import { jobStatusOf, type TaskRunEnd } from '../../domain/myntrix/task-runs.ts';
import { scheduleIdOf } from '../../domain/names.ts';
import { isEnded, type RunProblem, type RunStatus } from '../../domain/neosyntis/runs.ts';
import { createAccountReader } from '../auth/accounts.ts';
import { createRun } from '../neosyntis/new-runs.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { jobEvent } from './agent-events.ts';
import { createAgentRepository } from './agents.ts';
import { taskEvent, tickEvent } from './task-events.ts';
import { logTick, outputOf } from './task-log.ts';
import { endTicks, type Follow, openTicks, releaseNext } from './task-overlap.ts';
import { lockTask, type TaskRow, taskColumns } from './task-rows.ts';

/** What an attempt waits for: a run of a workflow, or a job of an agent that is to be told of it. */
export type Begun =
  | { kind: 'run'; id: string; events: StoredEvent[] }
  | {
      kind: 'agent';
      id: string;
      events: StoredEvent[];
      order?: { agentId: string; command: 'start' | 'stop' | 'restart'; epoch: number };
    }
  | { kind: 'refused'; reason: string };

/** Whoever a task is of, by what they may do now. */
type Owner = Pick<Principal, 'userId' | 'isAdmin' | 'permissions'>;

type TickRow = TaskRow & { at_ms: number; trigger: string; attempt: number };

const OUTPUT_BYTES = 16 * 1024;

/** Ticks of tasks as they are carried out, in their owners' names. All are idempotent. */
export function createTaskAttempts(database: Database) {
  const { em } = database;
  const accounts = createAccountReader(database);
  const agents = createAgentRepository(database);
  const transaction = <T>(work: (tx: Sql) => Promise<T>): Promise<T> => em.fork().transactional(work);

  async function tickOf(sql: Sql, id: string): Promise<TickRow | undefined> {
    const [tick] = await rows<TickRow>(
      sql,
      `select ${taskColumns}, (extract(epoch from r.scheduled_at) * 1000)::float8 as at_ms, r.trigger, r.attempt
       from task_runs r join tasks t on t.id = r.task_id
       where r.id = ? and r.status in ('pending', 'running') and not r.buffered`,
      [id],
    );
    return tick;
  }

  async function principal(ownerId: string): Promise<Owner | undefined> {
    const account = await accounts.byUser(ownerId);
    if (!account) return undefined;
    return { userId: account.id, isAdmin: account.role === 'admin', permissions: permissionsOf(account) };
  }

  async function beginRun(task: TickRow, owner: Owner, id: string): Promise<Begun> {
    const { action } = task;
    const workflowId = action.type === 'workflow' ? action.workflowId : task.workflow_id;
    if (!workflowId) return { kind: 'refused', reason: 'The task has nothing to run.' };
    const at = new Date(task.at_ms).toISOString();
    try {
      const created = await createRun(em, {
        id,
        user: owner,
        workflowId,
        version: action.type === 'workflow' ? action.version : undefined,
        mayRunCode: owner.permissions.has('neosyntis:workflows:execute_code'),
        input: action.type === 'workflow' ? (action.input ?? null) : null,
        idempotency: undefined,
        trigger:
          task.trigger === 'schedule' || task.trigger === 'backfill'
            ? { kind: 'schedule', at, schedule_id: scheduleIdOf(task.id) }
            : { kind: 'manual', at },
      });
      return { kind: 'run', id, events: created.isNew ? created.events : [] };
    } catch (error) {
      if (await isWritten(id)) return { kind: 'run', id, events: [] };
      if (!(error instanceof AppError) || error.code !== 'not_found') throw error;
      return { kind: 'refused', reason: await whyNone(owner, workflowId, action) };
    }
  }

  /** Why there was no run for the owner. */
  async function whyNone(owner: Owner, workflowId: string, action: TaskAction): Promise<string> {
    const [found] = await rows<{ uses_code: boolean | null }>(
      em,
      `select v.uses_code from workflows w
       left join workflow_versions v on v.workflow_id = w.id and v.version = coalesce(?::int, w.version)
       where w.id = ? and w.deleted_at is null and (? or w.owner_id = ?)`,
      [action.type === 'workflow' ? (action.version ?? null) : null, workflowId, owner.isAdmin, owner.userId],
    );
    if (!found) return `Workflow ${workflowId} is gone, or is not the owner’s.`;
    if (found.uses_code === null) return `Workflow ${workflowId} has no such version.`;
    return 'It runs code on a host, and the task’s owner has no neosyntis:workflows:execute_code.';
  }

  async function isWritten(jobId: string): Promise<boolean> {
    return (await rows(em, 'select 1 from jobs where id = ?', [jobId])).length > 0;
  }

  async function beginOrder(
    owner: Owner,
    { agentId, command }: Extract<TaskAction, { type: 'agent' }>,
    id: string,
  ): Promise<Begun> {
    if (await isWritten(id)) return { kind: 'agent', id, events: [] };
    try {
      const { host } = await agents.get(agentId);
      if (command !== 'stop' && !(await agents.mayRunOn(owner, host)))
        return {
          kind: 'refused',
          reason: `An agent is code that runs on host "${host}", which the task’s owner may not.`,
        };
      const { epoch, isDone, events } = await agents.order(owner, agentId, command, id);
      return { kind: 'agent', id, events, ...(isDone ? {} : { order: { agentId, command, epoch } }) };
    } catch (error) {
      if (error instanceof AppError && error.code === 'not_found')
        return { kind: 'refused', reason: error.message };
      throw error;
    }
  }

  return {
    /** Says that a tick goes on. @returns how it is to be tried; nothing when it is over, or waits */
    begin: (id: string): Promise<{ plan: Attempts | undefined; events: StoredEvent[] }> =>
      transaction(async (tx) => {
        const tick = await tickOf(tx, id);
        if (!tick) return { plan: undefined, events: [] };
        const task = await lockTask(tx, tick.id);
        if (!task) return { plan: undefined, events: [] };
        if (task.removed) {
          const told = await endTicks(tx, task, [{ id }], 'The task was deleted.');
          return { plan: undefined, events: await appendEvents(tx, told) };
        }
        const begun = await rows(
          tx,
          `update task_runs set status = 'running', start_time = now()
           where id = ? and status = 'pending' and not buffered returning 1`,
          [id],
        );
        if (begun.length > 0)
          await tx.execute(
            "update jobs set status = 'running', started_at = now(), updated_at = now() where id = ?",
            [id],
          );
        const told = [
          jobEvent({ id, ownerId: task.owner_id, status: 'running' }),
          tickEvent(task, { id, status: 'running', at: new Date(tick.at_ms) }),
        ];
        const events = begun.length > 0 ? await appendEvents(tx, told) : [];
        return { plan: attemptsOf(task.action), events };
      }),

    /** Writes what an attempt begins, by what the owner may do now. @param id of the run or job, the attempt's own */
    async attempt(tickId: string, attempt: number, id: string): Promise<Begun | undefined> {
      const tick = await tickOf(em, tickId);
      if (!tick) return undefined;
      const owner = await principal(tick.owner_id);
      const refusal = owner
        ? hindrance(owner, tick.action)
        : 'The account of the task’s owner is deactivated.';
      const begun: Begun =
        !owner || refusal !== undefined
          ? { kind: 'refused', reason: refusal ?? '' }
          : tick.action.type === 'agent'
            ? await beginOrder(owner, tick.action, id)
            : await beginRun(tick, owner, id);
      const runId = begun.kind === 'run' ? id : null;
      await em.execute('update task_runs set attempt = ?, run_id = coalesce(?, run_id) where id = ?', [
        attempt,
        runId,
        tickId,
      ]);
      const what = begun.kind === 'refused' ? {} : { [begun.kind === 'run' ? 'run_id' : 'agent_job_id']: id };
      await em.execute('update jobs set details = details || ?::jsonb, updated_at = now() where id = ?', [
        json({ attempt, ...what }),
        tickId,
      ]);
      const said =
        begun.kind === 'refused'
          ? begun.reason
          : begun.kind === 'run'
            ? `run ${id}`
            : `job ${id} of the agent`;
      await logTick(em, tickId, `attempt-${attempt}`, `attempt ${attempt}: ${said}`);
      return begun;
    },

    /** How what an attempt began has ended; nothing while it goes on. */
    async outcome(
      tickId: string,
      attempt: number,
      id: string,
      isTimeUp: boolean,
    ): Promise<{ isSuccess: boolean; reason?: string } | undefined> {
      const [job] = await rows<{
        status: RunStatus;
        error: RunProblem | null;
        details: { reason?: unknown };
      }>(
        em,
        'select j.status, r.error, j.details from jobs j left join runs r on r.id = j.id where j.id = ?',
        [id],
      );
      if (job && !isEnded(job.status)) return undefined;
      const isSuccess = job?.status === 'completed' && !isTimeUp;
      const output = await outputOf(em, id, OUTPUT_BYTES);
      const reason = isSuccess ? undefined : reasonOf(job, isTimeUp);
      const text = `attempt ${attempt}: ${isSuccess ? 'completed' : reason}${output === '' ? '' : `\n${output}`}`;
      await logTick(em, tickId, `attempt-${attempt}-end`, text);
      return reason === undefined ? { isSuccess } : { isSuccess, reason };
    },

    /** Ends a tick. @returns what begins now, and the schedule that is paused from now on */
    end: (
      id: string,
      status: TaskRunEnd,
      reason: string | undefined,
    ): Promise<Follow & { paused?: string }> =>
      transaction(async (tx) => {
        const tick = await tickOf(tx, id);
        const task = tick && (await lockTask(tx, tick.id));
        if (!task) return { begin: [], events: [] };
        const ended = await rows(
          tx,
          `update task_runs set status = ?, end_time = now(), start_time = coalesce(start_time, now()), reason = ?,
             notify_at = case when ? then now() end
           where id = ? and status in ('pending', 'running') returning 1`,
          [status, reason ?? null, status === 'failed' && task.told.includes('failed'), id],
        );
        if (ended.length === 0) return { begin: [], events: [] };
        const shown = jobStatusOf[status];
        await tx.execute(
          `update jobs set status = ?, progress = case when ? then 100 else progress end, updated_at = now(),
             started_at = coalesce(started_at, now()), ended_at = now() where id = ?`,
          [shown, status === 'success', id],
        );
        const told = [
          jobEvent({ id, ownerId: task.owner_id, status: shown }),
          tickEvent(task, { id, status, at: new Date(tick.at_ms), reason }),
        ];
        const pauses = status === 'failed' && task.pause_on_failure && task.enabled;
        if (pauses) {
          const why = `Tick ${id} failed: ${reason ?? ''}`.slice(0, 1_000);
          await tx.execute(
            'update tasks set enabled = false, paused_reason = ?, updated_at = now() where id = ?',
            [why, task.id],
          );
          await tx.execute('update schedules set paused = true, updated_at = now() where subject_id = ?', [
            task.id,
          ]);
          const waiting = (await openTicks(tx, task.id)).filter(({ buffered }) => buffered);
          told.push(...(await endTicks(tx, task, waiting, 'The task was paused after a failure.')));
          told.push(taskEvent(task, 'paused', { reason: why }));
        }
        const next = await releaseNext(tx, task.id);
        return {
          begin: next === undefined ? [] : [next],
          events: await appendEvents(tx, told),
          ...(pauses ? { paused: scheduleIdOf(task.id) } : {}),
        };
      }),
  };
}

export type TaskAttempts = ReturnType<typeof createTaskAttempts>;

const needed: Record<TaskAction['type'], Permission[]> = {
  workflow: ['neosyntis:workflows:run'],
  script: ['neosyntis:workflows:execute_code'],
  agent: ['myntrix:agents:run'],
  api: [],
};

/** What somebody lacks for an action; nothing when they may. */
export function hindrance(
  { permissions }: Pick<Principal, 'permissions'>,
  { type }: TaskAction,
): string | undefined {
  const missing = ['myntrix:tasks:run' as const, ...needed[type]].find(
    (permission) => !permissions.has(permission),
  );
  return missing === undefined ? undefined : `The task’s owner has no ${missing}.`;
}

function reasonOf(
  job: { status: RunStatus; error: RunProblem | null; details: { reason?: unknown } } | undefined,
  isTimeUp: boolean,
): string {
  if (isTimeUp) return 'it took longer than its time limit, and was cancelled';
  if (!job) return 'what it began is not kept any more';
  if (job.status === 'cancelled') return 'it was cancelled';
  const { error } = job;
  if (error) return `${error.title}${error.detail === undefined ? '' : `: ${error.detail}`}`.slice(0, 2_000);
  return typeof job.details.reason === 'string' ? job.details.reason : 'it failed';
}
