import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import { attemptsOf } from '../../domain/myntrix/task-actions.ts';
import { scheduleIdOf } from '../../domain/names.ts';
import type { RunTrigger } from '../../domain/neosyntis/runs.ts';
import type { createAccountReader } from '../auth/accounts.ts';
import { createRun } from '../neosyntis/new-runs.ts';
import type { Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import type { NewEvent } from '../system/events.ts';
import { jobEvent } from './agent-events.ts';
import { tickEvent } from './task-events.ts';
import { logTick } from './task-log.ts';
import { actingOwner, type TaskOwner } from './task-owner.ts';
import type { OpenTick, TaskRow } from './task-rows.ts';

type Accounts = Pick<ReturnType<typeof createAccountReader>, 'byUser'>;

/** The run that an attempt of a tick is, written; or why there is none. */
export type BegunRun = { kind: 'run'; events: StoredEvent[] } | { kind: 'refused'; reason: string };

/**
 * Writes the run of an attempt, in the name of the task's owner and by what they may do now, in the transaction that
 * has locked the task.
 * @param runId the attempt's own: written once, however often it is asked for
 */
export async function writeRun(
  tx: Sql,
  accounts: Accounts,
  task: TaskRow,
  tick: OpenTick,
  runId: string,
): Promise<BegunRun> {
  const acting = await actingOwner(tx, accounts, task);
  if ('refusal' in acting) return { kind: 'refused', reason: acting.refusal };
  const { owner } = acting;
  const { action } = task;
  const workflowId = action.type === 'workflow' ? action.workflowId : task.workflow_id;
  if (!workflowId) return { kind: 'refused', reason: 'The task has nothing to run.' };
  const [known] = await rows(tx, 'select 1 from jobs where id = ?', [runId]);
  if (known) return { kind: 'run', events: [] };
  try {
    const created = await createRun(tx, {
      id: runId,
      user: owner,
      workflowId,
      version: action.type === 'workflow' ? action.version : undefined,
      mayRunCode: owner.permissions.has('neosyntis:workflows:execute_code'),
      input: action.type === 'workflow' ? (action.input ?? null) : null,
      idempotency: undefined,
      trigger: triggerOf(task, tick),
    });
    return { kind: 'run', events: created.isNew ? created.events : [] };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'not_found') throw error;
    return { kind: 'refused', reason: await whyNone(tx, task, owner, workflowId) };
  }
}

function triggerOf(task: TaskRow, { id, at, trigger }: OpenTick): RunTrigger {
  const tick = {
    at: at.toISOString(),
    task_run_id: id,
    time_limit_seconds: attemptsOf(task.action).timeoutMs / 1_000,
  };
  return trigger === 'schedule' || trigger === 'backfill'
    ? { kind: 'schedule', schedule_id: scheduleIdOf(task.id), ...tick }
    : { kind: 'manual', ...tick };
}

/** Why there was no run for the owner. */
async function whyNone(
  tx: Sql,
  { action }: TaskRow,
  { isAdmin, userId }: TaskOwner,
  workflowId: string,
): Promise<string> {
  const [found] = await rows<{ uses_code: boolean | null }>(
    tx,
    `select v.uses_code from workflows w
     left join workflow_versions v on v.workflow_id = w.id and v.version = coalesce(?::int, w.version)
     where w.id = ? and w.deleted_at is null and (? or w.owner_id = ?)`,
    [action.type === 'workflow' ? (action.version ?? null) : null, workflowId, isAdmin, userId],
  );
  if (!found) return `Workflow ${workflowId} is gone, or is not the owner’s.`;
  if (found.uses_code === null) return `Workflow ${workflowId} has no such version.`;
  return 'It runs code on a host, and the task’s owner has no neosyntis:workflows:execute_code.';
}

/** What an attempt began: a run, a job of an agent, or nothing. */
export type BegunAs = { run: string } | { job: string } | { refused: string };

/** Notes that a tick goes on, and with what. @returns what is to be told of it */
export async function noteBegun(
  tx: Sql,
  task: TaskRow,
  tick: OpenTick,
  attempt: number,
  as: BegunAs,
): Promise<NewEvent[]> {
  const { id, at } = tick;
  const runId = 'run' in as ? as.run : null;
  const begins = tick.status === 'pending';
  await tx.execute(
    `update task_runs set status = 'running', start_time = coalesce(start_time, now()), attempt = ?,
       run_id = coalesce(?, run_id) where id = ?`,
    [attempt, runId, id],
  );
  const what = 'run' in as ? { run_id: as.run } : 'job' in as ? { agent_job_id: as.job } : {};
  await tx.execute(
    `update jobs set status = 'running', started_at = coalesce(started_at, now()), updated_at = now(),
       details = details || ?::jsonb where id = ?`,
    [json({ attempt, ...what }), id],
  );
  const said = 'refused' in as ? as.refused : 'run' in as ? `run ${as.run}` : `job ${as.job} of the agent`;
  await logTick(tx, id, `attempt-${attempt}`, `attempt ${attempt}: ${said}`);
  if (!begins) return [];
  return [
    jobEvent({ id, ownerId: task.owner_id, status: 'running' }),
    tickEvent(task, { id, status: 'running', at }),
  ];
}
