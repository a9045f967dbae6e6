import type { StepChange } from '../../domain/neosyntis/projection.ts';
import type { RunStatus } from '../../domain/neosyntis/runs.ts';
import type { RunIntent } from '../../domain/neosyntis/start.ts';
import type { Database } from '../orm.ts';
import { iso, rows } from '../sql.ts';

export interface OpenRun {
  id: string;
  status: RunStatus;
  /** Temporal's id of the execution that the row tells of. */
  execution: string | null;
  /** Whether it shall be paused; null when nobody asked. */
  pauseWanted: boolean | null;
  /** A step of another run starts it: whether that one can still do so. */
  parent: 'open' | 'ended' | null;
}

/** Runs as the platform sees them, whoever owns them. */
export function createRunIntents({ em }: Database) {
  return {
    /** Runs that have not ended and were written some time ago. */
    async open(olderThanMs: number): Promise<OpenRun[]> {
      return rows<OpenRun>(
        em,
        `select j.id, j.status, r.execution, r.pause_wanted as "pauseWanted", case when r.parent_run_id is null then null
             when p.status is null or p.status in ('completed', 'failed', 'cancelled') then 'ended'
             else 'open' end as parent
         from jobs j join runs r on r.id = j.id left join jobs p on p.id = r.parent_run_id
         where j.type = 'workflow_run' and j.status not in ('completed', 'failed', 'cancelled')
           and j.created_at < now() - make_interval(secs => ?) order by j.id limit 10000`,
        [olderThanMs / 1000],
      );
    },

    /** Of these runs those whose rows ended some time ago, with the execution that they tell of. */
    async endedAmong(
      ids: string[],
      olderThanMs: number,
    ): Promise<{ id: string; execution: string | null }[]> {
      return rows(
        em,
        `select r.id, r.execution from runs r join jobs j on j.id = r.id
         where r.id = any(?::uuid[]) and j.status in ('completed', 'failed', 'cancelled')
           and j.ended_at < now() - make_interval(secs => ?)`,
        [`{${ids.join()}}`, olderThanMs / 1000],
      );
    },

    /** The number of the last change of a run that was applied. */
    async projected(id: string): Promise<number> {
      const [run] = await rows<{ projected: string }>(em, 'select projected from runs where id = ?', [id]);
      return Number(run?.projected ?? 0);
    },

    /** Notes that a run shall be paused or resumed, unless it has ended; gives its status. */
    async wantPause(id: string, wanted: boolean): Promise<RunStatus | undefined> {
      const [run] = await rows<{ status: RunStatus }>(
        em,
        `with wanted as (
           update runs r set pause_wanted = ? from jobs j
           where r.id = ? and j.id = r.id and j.status not in ('completed', 'failed', 'cancelled')
         )
         select status from jobs where id = ?`,
        [wanted, id, id],
      );
      return run?.status;
    },

    /** Temporal's id of the execution that the row tells of. */
    async execution(id: string): Promise<string | null> {
      const [run] = await rows<{ execution: string | null }>(em, 'select execution from runs where id = ?', [
        id,
      ]);
      return run?.execution ?? null;
    },

    /** The steps of a run that have not ended. */
    async openSteps(id: string): Promise<StepChange[]> {
      const found = await rows<StepChange & { host: string | null }>(
        em,
        `select path, iteration, name, kind, status, attempt, host, ${iso('started_at', '"startedAt"')} from run_steps
         where run_id = ? and status in ('pending', 'running', 'waiting') order by ordinal`,
        [id],
      );
      return found.map(({ host, ...step }) => ({ ...step, ...(host === null ? {} : { host }) }));
    },

    async intent(id: string): Promise<RunIntent | undefined> {
      const [found] = await rows<RunIntent & { rerun: RunIntent['rerun'] | null }>(
        em,
        `select r.workflow_id as "workflowId", r.version, v.document, r.input, r.trigger, j.name,
           coalesce(r.pause_wanted, false) as "isPaused",
           case when r.rerun_from is not null then json_build_object('runId', r.rerun_of, 'from',
             json_build_object('path', r.rerun_from, 'iteration', r.rerun_iteration)) end as rerun
         from runs r join jobs j on j.id = r.id
         join workflow_versions v on v.workflow_id = r.workflow_id and v.version = r.version where r.id = ?`,
        [id],
      );
      if (!found) return undefined;
      const { rerun, ...intent } = found;
      return rerun ? { ...intent, rerun } : intent;
    },
  };
}

export type RunIntents = ReturnType<typeof createRunIntents>;
