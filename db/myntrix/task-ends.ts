import { type Attempts, attemptsOf } from '../../domain/myntrix/task-actions.ts';
import { jobStatusOf, type TaskRunEnd } from '../../domain/myntrix/task-runs.ts';
import { scheduleIdOf } from '../../domain/names.ts';
import { isEnded, type RunProblem, type RunStatus } from '../../domain/neosyntis/runs.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { appendEvents, type NewEvent } from '../system/events.ts';
import { jobEvent } from './agent-events.ts';
import { taskEvent, tickEvent } from './task-events.ts';
import { logTick, outputOf } from './task-log.ts';
import { endTicks, type Follow, openTicks, releaseNext } from './task-overlap.ts';
import { type OpenTick, openTick, type TaskRow } from './task-rows.ts';

const OUTPUT_BYTES = 16 * 1024;
const MAX_DELAY_MS = 86_400_000;

/** What an attempt was: a run, by its id; or an order to an agent, whose time may be up. */
export type EndedAttempt = { runId: string } | { attempt: number; jobId: string; isTimeUp: boolean };

export interface Retry {
  attempt: number;
  delayMs: number;
}

/** How a tick has ended: what begins now, and the schedule that is paused from now on. */
export type Ended = Follow & { paused?: string };

interface EndedJob {
  status: RunStatus;
  error: RunProblem | null;
  details: { reason?: unknown };
}

/** Ends of attempts and of ticks. All are idempotent. */
export function createTaskEnds({ em }: Database) {
  return {
    /**
     * What the end of an attempt means for its tick.
     * @returns nothing while the attempt goes on; that there is nothing to do is an end without consequences
     */
    attemptEnded: (tickId: string, ended: EndedAttempt): Promise<{ retry: Retry } | Ended | undefined> =>
      em.fork().transactional(async (tx) => {
        const open = await openTick(tx, tickId, 'lock');
        const nothing = { begin: [], events: [] };
        if (!open) return nothing;
        const { task, tick } = open;
        const isCurrent = 'runId' in ended ? tick.runId === ended.runId : tick.attempt === ended.attempt;
        if (!isCurrent) return nothing;
        const id = 'runId' in ended ? ended.runId : ended.jobId;
        const isTimeUp = 'isTimeUp' in ended && ended.isTimeUp;
        const [job] = await rows<EndedJob>(
          tx,
          'select j.status, r.error, j.details from jobs j left join runs r on r.id = j.id where j.id = ?',
          [id],
        );
        if (job && !isEnded(job.status) && !isTimeUp) return undefined;
        const { attempt } = tick;
        const reason = job?.status === 'completed' && !isTimeUp ? undefined : reasonOf(job, isTimeUp);
        const output = await outputOf(tx, id, OUTPUT_BYTES);
        const text = `attempt ${attempt}: ${reason ?? 'completed'}${output === '' ? '' : `\n${output}`}`;
        await logTick(tx, tickId, `attempt-${attempt}-end`, text);
        if (reason === undefined) return end(tx, task, tick, 'success');
        if (tick.cancelAsked || job?.status === 'cancelled')
          return end(tx, task, tick, 'cancelled', 'It was cancelled.');
        const retry = retryAfter(attemptsOf(task.action), attempt);
        return retry ? { retry } : end(tx, task, tick, 'failed', reason);
      }),

    /** Ends a tick that is open. */
    end: (id: string, status: TaskRunEnd, reason: string): Promise<Ended> =>
      em.fork().transactional(async (tx) => {
        const open = await openTick(tx, id, 'lock');
        if (!open) return { begin: [], events: [] };
        return end(tx, open.task, open.tick, status, reason);
      }),
  };
}

export type TaskEnds = ReturnType<typeof createTaskEnds>;

async function end(
  tx: Sql,
  task: TaskRow,
  { id, at }: OpenTick,
  status: TaskRunEnd,
  reason?: string,
): Promise<Ended> {
  await tx.execute(
    `update task_runs set status = ?, end_time = now(), start_time = coalesce(start_time, now()), reason = ?,
       notify_at = case when ? then now() end where id = ?`,
    [status, reason ?? null, status === 'failed' && task.told.includes('failed'), id],
  );
  const shown = jobStatusOf[status];
  await tx.execute(
    `update jobs set status = ?, progress = case when ? then 100 else progress end, updated_at = now(),
       started_at = coalesce(started_at, now()), ended_at = now() where id = ?`,
    [shown, status === 'success', id],
  );
  const told = [
    jobEvent({ id, ownerId: task.owner_id, status: shown }),
    tickEvent(task, { id, status, at, reason }),
  ];
  const pauses = status === 'failed' && task.pause_on_failure && task.enabled;
  if (pauses) told.push(...(await pause(tx, task, `Tick ${id} failed: ${reason ?? ''}`.slice(0, 1_000))));
  const next = await releaseNext(tx, task.id);
  return {
    begin: next === undefined ? [] : [next],
    events: await appendEvents(tx, told),
    ...(pauses ? { paused: scheduleIdOf(task.id) } : {}),
  };
}

/** Pauses a task whose tick failed; what waits does not begin. */
async function pause(tx: Sql, task: TaskRow, why: string): Promise<NewEvent[]> {
  await tx.execute('update tasks set enabled = false, paused_reason = ?, updated_at = now() where id = ?', [
    why,
    task.id,
  ]);
  await tx.execute('update schedules set paused = true, updated_at = now() where subject_id = ?', [task.id]);
  const waiting = (await openTicks(tx, task.id)).filter(({ buffered }) => buffered);
  const ended = await endTicks(tx, task, waiting, 'The task was paused after a failure.');
  return [...ended, taskEvent(task, 'paused', { reason: why })];
}

/** The attempt after one that failed, if there is to be another one. */
function retryAfter({ attempts, delayMs, factor }: Attempts, attempt: number): Retry | undefined {
  if (attempt >= attempts) return undefined;
  return { attempt: attempt + 1, delayMs: Math.min(delayMs * factor ** (attempt - 1), MAX_DELAY_MS) };
}

function reasonOf(job: EndedJob | undefined, isTimeUp: boolean): string {
  if (isTimeUp) return 'it took longer than its time limit';
  if (!job) return 'what it began is not kept any more';
  if (job.status === 'cancelled') return 'it was cancelled';
  const { error } = job;
  if (error) return `${error.title}${error.detail === undefined ? '' : `: ${error.detail}`}`.slice(0, 2_000);
  return typeof job.details.reason === 'string' ? job.details.reason : 'it failed';
}
