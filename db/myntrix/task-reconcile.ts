import type { TaskClock } from '../../domain/myntrix/task-clock.ts';
import { latestMs, type Recurring } from '../../domain/system/schedules.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';
import { missedUntil, noteMissed } from './task-missed.ts';
import type { TickParts } from './task-orders.ts';
import { releaseNext } from './task-overlap.ts';
import { lockTask } from './task-rows.ts';

/** A tick that is open, as the reconciler looks at it. */
export interface LookedAt extends TickParts {
  status: 'pending' | 'running';
  /** Its newest attempt is a run: whether that goes on. */
  run: 'open' | 'ended' | null;
  cancelAsked: boolean;
}

/** Ticks of tasks as the reconciler sees them. */
export function createTaskReconciliation({
  database: { em },
  clock,
  idOf,
}: {
  database: Database;
  clock: TaskClock;
  idOf(taskId: string, at: Date): string;
}) {
  return {
    /** Ticks that are to begin, or began, and were written some time ago. */
    open: (olderThanMs: number): Promise<LookedAt[]> =>
      rows(
        em,
        `select r.id, r.status, r.attempt, r.run_id as "runId", r.cancel_asked as "cancelAsked",
           case when r.run_id is null or t.action->>'type' = 'agent' then null
             when j.status is null or j.status in ('completed', 'failed', 'cancelled') then 'ended' else 'open' end as run
         from task_runs r join tasks t on t.id = r.task_id left join jobs j on j.id = r.run_id
         where r.status in ('pending', 'running') and not r.buffered
           and r.created_at < now() - make_interval(secs => ?) order by r.id limit 10000`,
        [olderThanMs / 1_000],
      ),

    /** Ticks that ended a while ago and of which something goes on in Temporal, or a run of which is open. */
    leftOver: (ids: string[], olderThanMs: number): Promise<TickParts[]> =>
      rows(
        em,
        `select r.id, r.attempt, r.run_id as "runId" from task_runs r left join jobs j on j.id = r.run_id
         where r.status not in ('pending', 'running') and r.end_time < now() - make_interval(secs => ?)
           and (r.id = any(?::uuid[]) or (r.end_time > now() - interval '1 day' and r.status = 'cancelled'
             and j.status not in ('completed', 'failed', 'cancelled')))
         limit 1000`,
        [olderThanMs / 1_000, `{${ids.join()}}`],
      ),

    /** Lets ticks begin that wait for nobody any more. @returns their ids */
    async release(): Promise<string[]> {
      const stuck = await rows<{ task_id: string }>(
        em,
        `select distinct task_id from task_runs r where status = 'pending' and buffered and not exists (
           select from task_runs o where o.task_id = r.task_id and o.status in ('pending', 'running') and not o.buffered)
         limit 1000`,
      );
      const begun: string[] = [];
      for (const { task_id } of stuck) {
        const id = await em.fork().transactional(async (tx) => {
          await lockTask(tx, task_id);
          return releaseNext(tx, task_id);
        });
        if (id !== undefined) begun.push(id);
      }
      return begun;
    },

    /** Notes what should have come and is too late to come any more. @returns how many ticks were missed */
    async noteMissed(): Promise<number> {
      const late = await rows<{ id: string; timing: Recurring; next_ms: number }>(
        em,
        `select id, timing, (extract(epoch from next_at) * 1000)::float8 as next_ms from tasks
         where enabled and not removed and next_at < now()`,
      );
      let missed = 0;
      for (const { id } of late.filter(({ timing, next_ms }) => next_ms < +missedUntil(timing)))
        missed += await em.fork().transactional(async (tx) => {
          const task = await lockTask(tx, id);
          if (!task?.enabled || task.removed) return 0;
          const reason = `No tick came within ${latestMs(task.timing) / 1_000} s: the platform was away.`;
          return noteMissed(tx, task, missedUntil(task.timing), { clock, idOf, reason });
        });
      return missed;
    },
  };
}

export type TaskReconciliation = ReturnType<typeof createTaskReconciliation>;
