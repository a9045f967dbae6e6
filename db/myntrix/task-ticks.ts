import type { TaskClock } from '../../domain/myntrix/task-clock.ts';
import type { TaskRunStatus } from '../../domain/myntrix/task-runs.ts';
import { latestMs, type TickOutcome } from '../../domain/system/schedules.ts';
import { createAccountReader } from '../auth/accounts.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { appendEvents, type NewEvent } from '../system/events.ts';
import { noteBegun, writeRun } from './task-begin.ts';
import { type Follow, placeTick, releaseNext } from './task-overlap.ts';
import { insertTick, setNext, type TaskRow, taskColumns } from './task-rows.ts';

export interface TickingDeps {
  database: Database;
  clock: TaskClock;
  /** Of the row of a nominal time. */
  idOf(taskId: string, at: Date): string;
}

const outcomes: Partial<Record<TaskRunStatus, TickOutcome>> = { skipped: 'skipped', missed: 'missed' };

/** What became of a tick. */
export interface Ticked {
  outcome: TickOutcome;
  reason?: string;
  /** Of its row. */
  runId?: string;
  events: Follow['events'];
}

/**
 * Writes ticks of tasks as their schedules ask for them. A nominal time has one row, however often it is asked for.
 * @param firstRun the id of the run that is a tick's first attempt
 */
export function createTaskTicks({
  database,
  clock,
  firstRun,
}: Omit<TickingDeps, 'idOf'> & { firstRun(tickId: string): string }) {
  const accounts = createAccountReader(database);

  /** The tick begins with its first attempt when that is a run; else a workflow of its own begins it. */
  async function begin(tx: Sql, task: TaskRow, id: string, at: Date, told: NewEvent[]) {
    if (task.action.type === 'agent') return appendEvents(tx, told);
    const tick = { id, at, trigger: 'schedule', status: 'pending', attempt: 0 } as const;
    const open = { ...tick, runId: null, cancelAsked: false };
    const runId = firstRun(id);
    const written = await writeRun(tx, accounts, task, open, runId);
    if (written.kind === 'refused') return appendEvents(tx, told);
    told.push(...(await noteBegun(tx, task, open, 1, { run: runId })));
    return [...written.events, ...(await appendEvents(tx, told))];
  }

  return {
    /** @returns nothing when there is no such task any more, or it is paused */
    tick: (scheduleId: string, at: Date, id: string): Promise<Ticked | undefined> =>
      database.em.fork().transactional(async (tx) => {
        const [task] = await rows<TaskRow & { was_problem: boolean }>(
          tx,
          `select ${taskColumns}, s.problem is not null as was_problem from schedules s
           join tasks t on t.id = s.subject_id where s.id = ? for update of t`,
          [scheduleId],
        );
        if (!task) return undefined;
        if (task.was_problem)
          await tx.execute('update schedules set problem = null where id = ?', [scheduleId]);
        const [known] = await rows<{ id: string; status: TaskRunStatus }>(
          tx,
          `select id, status from task_runs
           where task_id = ? and scheduled_at = ? and trigger in ('schedule', 'backfill')`,
          [task.id, at],
        );
        if (known) return { outcome: outcomes[known.status] ?? 'started', runId: known.id, events: [] };
        if (task.removed || !task.enabled) return undefined;
        if (task.next_ms !== null && task.next_ms === +at)
          await setNext(tx, task, clock.next(task.timing, at));
        const base = { id, at, trigger: 'schedule' } as const;
        const lateMs = Date.now() - +at;
        if (lateMs > latestMs(task.timing)) {
          const reason = `It was due ${Math.round(lateMs / 1_000)} s ago; what is more than ${latestMs(task.timing) / 1_000} s late is not made up for.`;
          const told = await insertTick(tx, task, { ...base, status: 'missed', reason });
          return { outcome: 'missed', reason, events: await appendEvents(tx, told) };
        }
        const { placed, told } = await placeTick(tx, task, at);
        if (placed.kind === 'skipped') {
          const { reason } = placed;
          told.push(...(await insertTick(tx, task, { ...base, status: 'skipped', reason })));
          return { outcome: 'skipped', reason, events: await appendEvents(tx, told) };
        }
        const isBuffered = placed.kind === 'waits';
        told.push(...(await insertTick(tx, task, { ...base, status: 'pending', isBuffered })));
        if (!isBuffered)
          return { outcome: 'started', runId: id, events: await begin(tx, task, id, at, told) };
        await releaseNext(tx, task.id); // whoever was to do it may have been killed
        return { outcome: 'started', runId: id, events: await appendEvents(tx, told) };
      }),
  };
}

export type TaskTicks = ReturnType<typeof createTaskTicks>;
