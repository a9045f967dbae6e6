import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { TaskRun, TaskRunStatus, TaskTrigger } from '../../domain/myntrix/task-runs.ts';
import type { Database } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { iso, type Page, pageClause, rows } from '../sql.ts';

/** Of a row `r` of `task_runs`. */
export const tickColumns = (logs: string): string => `r.id, r.task_id as "taskId",
  ${iso('r.scheduled_at', '"scheduledAt"')}, r.trigger, ${iso('r.start_time', '"startTime"')},
  ${iso('r.end_time', '"endTime"')}, r.status, r.attempt, r.overran, r.reason, r.run_id,
  case when r.has_job then r.id end as job_id, r.rerun_of as "rerunOf", ${logs} as logs`;

/** The end of what a tick's job printed, of 16 KiB at most. */
const LOGS = `coalesce((select right(string_agg(l.text, '' order by l.seq), 16384) from job_logs l join jobs j on j.id = l.job_id
  where j.id = r.id and l.start_byte >= j.log_bytes - 65536), '')`;

export interface HistoryFilter extends Page {
  status?: TaskRunStatus;
  trigger?: TaskTrigger;
  from?: string;
  to?: string;
  taskId?: string;
}

const conditions = {
  taskId: 'and r.task_id = ?',
  status: 'and r.status = ?',
  trigger: 'and r.trigger = ?',
  from: 'and r.scheduled_at >= ?',
  to: 'and r.scheduled_at <= ?',
} as const;
const filters = Object.keys(conditions) as (keyof typeof conditions)[]; // its keys

/** What became of tasks' ticks, for whoever may see the task. */
export function createTaskHistory({ em }: Database) {
  return {
    async list(user: Principal, filter: HistoryFilter): Promise<TaskRun[]> {
      const owned = ownedBy(user, 't.owner_id');
      const page = pageClause(filter, 'r.id');
      const given = filters.flatMap((name) => {
        const param = filter[name];
        return param === undefined ? [] : [{ where: conditions[name], param }];
      });
      return rows<TaskRun>(
        em,
        `select ${tickColumns(LOGS)} from task_runs r join tasks t on t.id = r.task_id
         where ${owned.where} ${given.map(({ where }) => where).join(' ')} ${page.where} ${page.tail}`,
        [...owned.params, ...given.map(({ param }) => param), ...page.params],
      );
    },

    /** @throws AppError `not_found` */
    async get(user: Principal, id: string): Promise<TaskRun> {
      const owned = ownedBy(user, 't.owner_id');
      const [tick] = await rows<TaskRun>(
        em,
        `select ${tickColumns(LOGS)} from task_runs r join tasks t on t.id = r.task_id where r.id = ? and ${owned.where}`,
        [id, ...owned.params],
      );
      if (!tick) throw new AppError('not_found', `There is no tick ${id} of a task.`);
      return tick;
    },
  };
}

export type TaskHistory = ReturnType<typeof createTaskHistory>;
