import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import { isEnded, type RunStatus } from '../../domain/neosyntis/runs.ts';
import type { Schedule, TickOutcome, Timing } from '../../domain/system/schedules.ts';
import type { Database } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { iso, rows } from '../sql.ts';

/** A workflow's schedule as it is now; when it comes next is to be worked out. */
export interface WorkflowSchedule extends Pick<Schedule, 'paused' | 'last' | 'problem'> {
  id: string;
  timing: Timing;
  /** Of an `on.all`: sets of events that are not complete. */
  openSets: number;
  /** The run that an `after` counts from: open, or when it ended (or the tick came that began none). */
  since: 'nothing' | 'open' | Date;
}

interface Found extends Pick<Schedule, 'paused' | 'problem'> {
  id: string;
  timing: Timing;
  open_sets: number;
  last_at: string | null;
  last_outcome: TickOutcome | null;
  last_reason: string | null;
  last_run_id: string | null;
  status: RunStatus | null;
  ended_ms: number | null;
}

/** Schedules of workflows, for whoever may see the workflow. */
export function createWorkflowScheduleRepository({ em }: Database) {
  const repository = {
    /** @throws AppError `not_found` when there is no such workflow, or it has no schedule. */
    async get(user: Principal, workflowId: string): Promise<WorkflowSchedule> {
      const owned = ownedBy(user, 'w.owner_id');
      const [found] = await rows<Found>(
        em,
        `select s.id, s.timing, (select count(*)::int from event_sets e where e.schedule_id = s.id) as open_sets, s.paused, s.problem, ${iso('s.last_at')}, s.last_outcome, s.last_reason, s.last_run_id,
           j.status, (extract(epoch from j.ended_at) * 1000)::float8 as ended_ms
         from schedules s join workflows w on w.id = s.subject_id left join jobs j on j.id = s.last_run_id
         where w.id = ? and w.deleted_at is null and not s.removed and ${owned.where}`,
        [workflowId, ...owned.params],
      );
      if (!found)
        throw new AppError(
          'not_found',
          `There is no workflow ${workflowId}, or its document has no \`schedule\`.`,
        );
      return shown(found);
    },

    /** @throws AppError `not_found` as `get` does. */
    async setPaused(user: Principal, workflowId: string, paused: boolean): Promise<WorkflowSchedule> {
      const owned = ownedBy(user, 'w.owner_id');
      await rows(
        em,
        `update schedules s set paused = ?, updated_at = now() from workflows w
         where w.id = s.subject_id and w.id = ? and w.deleted_at is null and not s.removed and ${owned.where}`,
        [paused, workflowId, ...owned.params],
      );
      return repository.get(user, workflowId);
    },
  };
  return repository;
}

export type WorkflowScheduleRepository = ReturnType<typeof createWorkflowScheduleRepository>;

function shown({
  id,
  timing,
  open_sets: openSets,
  paused,
  problem,
  status,
  ended_ms,
  ...last
}: Found): WorkflowSchedule {
  const { last_at: at, last_outcome: outcome, last_reason: reason, last_run_id: run_id } = last;
  return {
    id,
    timing,
    openSets,
    paused,
    problem,
    last: at === null || outcome === null ? null : { at, outcome, reason, run_id },
    since: status !== null && !isEnded(status) ? 'open' : at === null ? 'nothing' : latest(at, ended_ms),
  };
}

const latest = (at: string, endedMs: number | null): Date => new Date(Math.max(Date.parse(at), endedMs ?? 0));
