import type { StoredEvent } from '../../domain/events.ts';
import { isEnded, type RunStatus } from '../../domain/neosyntis/runs.ts';
import { catchUpMs, skipsWhileOpen, type Timing } from '../../domain/system/schedules.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { lockWorkflow, noteTick, type Tick } from '../system/schedules.ts';
import { createOwnersRun } from './new-runs.ts';
import { createOwnerRights } from './owner-rights.ts';

/** What became of a tick; nothing when there is no such schedule any more, or it is paused. */
export interface Ticked extends Pick<Tick, 'outcome' | 'reason' | 'runId'> {
  events: StoredEvent[];
}

interface Wanted {
  timing: Timing;
  last_run_id: string | null;
  workflow_id: string;
  owner_id: string;
  uses_code: boolean;
}

/**
 * Writes the run of a tick of a workflow's schedule, in its owner's name and by what the owner may do now. However
 * often it is asked for the same tick there is one run, since its id is the tick's.
 */
export function createScheduledRuns(database: Database) {
  const rights = createOwnerRights(database);

  /** Why there is no run; nothing when there is to be one. */
  async function hindrance(
    tx: Sql,
    wanted: Wanted,
    at: Date,
  ): Promise<Pick<Tick, 'outcome' | 'reason'> | undefined> {
    const { timing, last_run_id, uses_code } = wanted;
    const lateMs = Date.now() - at.getTime();
    if (lateMs > catchUpMs(timing))
      return {
        outcome: 'missed',
        reason: `It was due ${Math.round(lateMs / 1000)} s ago; what is more than ${catchUpMs(timing) / 1000} s late is not made up for.`,
      };
    const reason = await rights(wanted.owner_id, uses_code);
    if (reason !== undefined) return { outcome: 'failed', reason };
    if (skipsWhileOpen(timing) && last_run_id !== null && (await isOpen(tx, last_run_id)))
      return { outcome: 'skipped', reason: `Run ${last_run_id}, which a tick before started, goes on.` };
    return undefined;
  }

  return {
    /** @param runId derived from the tick */
    async tick(scheduleId: string, at: Date, runId: string): Promise<Ticked | undefined> {
      return database.em.fork().transactional(async (tx) => {
        await lockWorkflow(tx, scheduleId);
        // Ticks of one schedule come one after the other: whether a run is open is asked of the one before.
        const [wanted] = await rows<Wanted>(
          tx,
          `select s.timing, s.last_run_id, w.id as workflow_id, w.owner_id, v.uses_code
           from schedules s join workflows w on w.id = s.subject_id and w.deleted_at is null
           join workflow_versions v on v.workflow_id = w.id and v.version = w.version
           where s.id = ? and not s.paused and not s.removed for update of s`,
          [scheduleId],
        );
        if (await status(tx, runId)) return { outcome: 'started', runId, events: [] };
        if (!wanted) return undefined;
        const hindered = await hindrance(tx, wanted, at);
        if (hindered) {
          await noteTick(tx, scheduleId, { at, ...hindered });
          return { ...hindered, events: [] };
        }
        await noteTick(tx, scheduleId, { at, outcome: 'started', runId });
        const created = await createOwnersRun(tx, {
          id: runId,
          ownerId: wanted.owner_id,
          workflowId: wanted.workflow_id,
          input: null,
          trigger: { kind: 'schedule', at: at.toISOString(), schedule_id: scheduleId },
        });
        return { outcome: 'started', runId, events: created.isNew ? created.events : [] };
      });
    },

    /** Whether a run was written and nobody has begun it yet. */
    isPending: async (runId: string): Promise<boolean> => (await status(database.em, runId)) === 'pending',

    /**
     * When an `after` starts again: `null` while the run that it counts from is open.
     * @returns undefined when there is no such schedule, or it is paused
     */
    async due(scheduleId: string): Promise<Date | null | undefined> {
      const [found] = await rows<{
        timing: Timing;
        status: RunStatus | null;
        ended_ms: number | null;
        last_ms: number | null;
      }>(
        database.em,
        `select s.timing, j.status, (extract(epoch from j.ended_at) * 1000)::float8 as ended_ms,
           (extract(epoch from s.last_at) * 1000)::float8 as last_ms
         from schedules s left join jobs j on j.id = s.last_run_id
         where s.id = ? and not s.paused and not s.removed`,
        [scheduleId],
      );
      if (found?.timing.kind !== 'after') return undefined;
      const { status, ended_ms, last_ms, timing } = found;
      if (status !== null && !isEnded(status)) return null;
      // A row that retention took has no end any more: then its tick counts, and a tick that began nothing as well.
      const since = Math.max(ended_ms ?? 0, last_ms ?? 0);
      return since === 0 ? new Date() : new Date(Math.round(since) + timing.after_ms);
    },
  };
}

export type ScheduledRuns = ReturnType<typeof createScheduledRuns>;

async function status(sql: Sql, runId: string): Promise<RunStatus | undefined> {
  const [job] = await rows<{ status: RunStatus }>(sql, 'select status from jobs where id = ?', [runId]);
  return job?.status;
}

async function isOpen(tx: Sql, runId: string): Promise<boolean> {
  const found = await status(tx, runId);
  return found !== undefined && !isEnded(found);
}
