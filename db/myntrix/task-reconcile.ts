import type { TaskClock } from '../../domain/myntrix/task-clock.ts';
import { latestMs, type Recurring } from '../../domain/system/schedules.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';
import { releaseNext } from './task-overlap.ts';
import { lockTask, missedUntil, noteMissed } from './task-rows.ts';

export interface OpenTick {
  id: string;
  status: 'pending' | 'running';
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
    open: (olderThanMs: number): Promise<OpenTick[]> =>
      rows(
        em,
        `select id, status from task_runs where status in ('pending', 'running') and not buffered
           and created_at < now() - make_interval(secs => ?) order by id limit 10000`,
        [olderThanMs / 1_000],
      ),

    /** Of these those that ended some time ago. */
    async endedAmong(ids: string[], olderThanMs: number): Promise<string[]> {
      const found = await rows<{ id: string }>(
        em,
        `select id from task_runs where id = any(?::uuid[]) and status not in ('pending', 'running')
           and end_time < now() - make_interval(secs => ?)`,
        [`{${ids.join()}}`, olderThanMs / 1_000],
      );
      return found.map(({ id }) => id);
    },

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
