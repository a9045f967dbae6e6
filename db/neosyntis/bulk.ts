import type { Principal } from '../../domain/auth/principal.ts';
import type { StoredEvent } from '../../domain/events.ts';
import { BULK_JOB, BULK_LIMIT } from '../../domain/neosyntis/bulk.ts';
import type { RunStatus } from '../../domain/neosyntis/runs.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { type RunFilter, runsWhere } from './run-filter.ts';

export interface BulkFilter extends RunFilter {
  ids?: string[];
}

export interface BulkCounts {
  cancelled: number;
  /** They had ended by then. */
  ended: number;
  failed: number;
}

export type BulkRepository = ReturnType<typeof createBulkRepository>;

export function createBulkRepository({ em }: Database) {
  return {
    /** Writes a job that cancels those of the user's open runs that are meant, oldest first. */
    create: (
      user: Principal,
      jobId: string,
      filter: BulkFilter,
    ): Promise<{ ids: string[]; more: boolean; events: StoredEvent[] }> =>
      em.fork().transactional(async (tx) => {
        const { ids, more } = await select(tx, user, filter, { ended: false, limit: BULK_LIMIT });
        await tx.execute(
          `insert into jobs (id, type, name, owner_id, status, details, created_at, updated_at)
           values (?, '${BULK_JOB}', 'cancel runs', ?, 'pending', ?::jsonb, now(), now())`,
          [jobId, user.userId, json({ run_ids: ids })],
        );
        const events = await told(tx, { id: jobId, ownerId: user.userId, status: 'pending', progress: 0 });
        return { ids, more, events };
      }),

    /** Those of the user's ended runs that are meant, oldest first. */
    ended: (user: Principal, filter: BulkFilter, limit: number) =>
      select(em, user, filter, { ended: true, limit }),
  };
}

async function select(
  sql: Sql,
  user: Principal,
  { ids: wanted, ...rest }: BulkFilter,
  { ended, limit }: { ended: boolean; limit: number },
): Promise<{ ids: string[]; more: boolean }> {
  // A filter alone never reaches other people's runs, whoever asks.
  const isNamed = wanted !== undefined || rest.workflow_id !== undefined;
  const { where, params } = runsWhere(isNamed ? user : { ...user, isAdmin: false }, rest);
  const found = await rows<{ id: string }>(
    sql,
    `select r.id from runs r join jobs j on j.id = r.id
     where ${where} and j.status ${ended ? '' : 'not'} in ('completed', 'failed', 'cancelled')
       and ${wanted ? 'r.id = any(?::uuid[])' : 'true'}
     order by r.id limit ${limit + 1}`,
    [...params, ...(wanted ? [`{${wanted.join()}}`] : [])],
  );
  return { ids: found.slice(0, limit).map(({ id }) => id), more: found.length > limit };
}

/** The runs that a job is to cancel; nothing when it has ended. */
export async function bulkRuns({ em }: Database, jobId: string): Promise<string[] | undefined> {
  const [job] = await rows<{ ids: string[] }>(
    em,
    `select details->'run_ids' as ids from jobs where id = ? and type = '${BULK_JOB}' and ended_at is null`,
    [jobId],
  );
  return job?.ids;
}

/** How far a job is; its end counts once. */
export const noteBulk = (
  { em }: Database,
  jobId: string,
  status: RunStatus,
  progress: number,
  counts: BulkCounts,
): Promise<StoredEvent[]> =>
  em.fork().transactional(async (tx) => {
    const [job] = await rows<{ owner_id: string | null }>(
      tx,
      `update jobs set status = ?, progress = ?, details = details || ?::jsonb, updated_at = now(),
         started_at = coalesce(started_at, now()), ended_at = case when ? then now() end
       where id = ? and ended_at is null returning owner_id`,
      [status, progress, json({ counts }), status !== 'running', jobId],
    );
    return job ? told(tx, { id: jobId, ownerId: job.owner_id, status, progress }) : [];
  });

/** Jobs whose start was lost. */
export async function unstartedBulks({ em }: Database, olderThanMs: number): Promise<string[]> {
  const found = await rows<{ id: string }>(
    em,
    `select id from jobs where type = '${BULK_JOB}' and status not in ('completed', 'failed', 'cancelled')
       and created_at < now() - make_interval(secs => ?) order by id limit 100`,
    [olderThanMs / 1000],
  );
  return found.map(({ id }) => id);
}

const told = (
  tx: Sql,
  job: { id: string; ownerId: string | null; status: RunStatus; progress: number },
): Promise<StoredEvent[]> =>
  appendEvents(tx, [
    {
      topic: 'jobs',
      type: `job.${job.status}`,
      source: '/myntrix/jobs',
      subject: job.id,
      ownerId: job.ownerId,
      data: { id: job.id, type: BULK_JOB, status: job.status, progress: job.progress },
    },
  ]);
