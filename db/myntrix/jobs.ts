import { defineEntity, p } from '@mikro-orm/postgresql';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import { deviceJobTypes } from '../../domain/myntrix/device-jobs.ts';
import type { Job, JobType } from '../../domain/myntrix/jobs.ts';
import type { RunStatus } from '../../domain/neosyntis/runs.ts';
import type { Json } from '../../domain/wire.ts';
import type { Database } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { iso, type Page, pageClause, rows } from '../sql.ts';

export const JobEntity = defineEntity({
  name: 'Job',
  tableName: 'jobs',
  properties: {
    id: p.uuid().primary(),
    type: p.text().$type<JobType>(),
    name: p.text(),
    owner_id: p.uuid().nullable(),
    status: p.text().$type<RunStatus>(),
    progress: p.float().columnType('real').default(0),
    /** The number of the job's newest frame. */
    seq: p.bigint('number').default(0),
    /** The length of the job's log. */
    log_bytes: p.bigint('number').default(0),
    /** Frames and log text up to this number are not kept any more. */
    pruned_seq: p.bigint('number').default(0),
    details: p.json().$type<Json>(),
    created_at: p.datetime(3),
    updated_at: p.datetime(3),
    started_at: p.datetime(3).nullable(),
    ended_at: p.datetime(3).nullable(),
  },
});

const tail = (bytes: number) => `coalesce((select string_agg(text, '' order by seq) from job_logs l
  where l.job_id = j.id and l.start_byte >= j.log_bytes - ${bytes}), '')`;

const columns = (
  logs: string,
) => `j.id, j.name, j.type, j.status, round(j.progress::numeric, 1)::float8 as progress,
  ${iso('j.created_at', '"createdAt"')}, ${iso('j.updated_at', '"updatedAt"')}, ${logs} as logs, j.details`;

export interface JobFilter extends Page {
  status?: string;
  type?: JobType;
  /** Those that have, or had, something running there. */
  host?: string;
}

export interface LogPage {
  offset: number;
  nextOffset: number;
  text: string;
  /** Nothing will be added any more. */
  complete: boolean;
}

const ofDevices = `j.type in (${deviceJobTypes.map((type) => `'${type}'`).join()})`;

const conditions = {
  status: 'j.status = ?',
  type: 'j.type = ?',
  host: `(j.id in (select s.run_id from run_steps s where s.host = ?) or ((j.type in ('agent_start', 'agent_stop', 'agent_restart') or ${ofDevices}) and j.details->>'host' = ?))`,
};

const LOG_PAGE_BYTES = 256 * 1024;

/** Jobs of devices are the installation's, as devices are; all others belong to somebody. */
function foundBy(user: Principal): { where: string; params: unknown[] } {
  const owned = ownedBy(user, 'j.owner_id');
  return user.permissions.has('myntrix:devices:read')
    ? { where: `(${owned.where} or ${ofDevices})`, params: owned.params }
    : owned;
}

export type JobRepository = ReturnType<typeof createJobRepository>;

/** Jobs belong to the owner of what they are about, or to the installation; administrators find all. */
export function createJobRepository({ em }: Database) {
  const repository = {
    async list(user: Principal, filter: JobFilter): Promise<Job[]> {
      const owned = foundBy(user);
      const page = pageClause(filter, 'j.id');
      const filters = (['status', 'type', 'host'] as const).flatMap((name) =>
        filter[name] === undefined
          ? []
          : [
              {
                where: `and ${conditions[name]}`,
                params: conditions[name]
                  .split('?')
                  .slice(1)
                  .map(() => filter[name]),
              },
            ],
      );
      return rows<Job>(
        em,
        `select ${columns("''")} from jobs j where ${owned.where}
         ${filters.map(({ where }) => where).join(' ')} ${page.where} ${page.tail}`,
        [...owned.params, ...filters.flatMap(({ params }) => params), ...page.params],
      );
    },

    /** @throws AppError `not_found` */
    async get(user: Principal, id: string): Promise<Job> {
      const owned = foundBy(user);
      const [job] = await rows<Job>(
        em,
        `select ${columns(tail(4096))} from jobs j where j.id = ? and ${owned.where}`,
        [id, ...owned.params],
      );
      if (!job) throw new AppError('not_found', `There is no job ${id}.`);
      return job;
    },

    /**
     * A piece of a job's log from a byte offset on, cut where a chunk ends. When what is there is not kept any
     * more it begins with what is: `offset` says where.
     */
    async logs(user: Principal, id: string, from: number): Promise<LogPage> {
      const job = await repository.get(user, id);
      // Asked before what there is: what comes meanwhile is found then, and not taken for the end.
      const [short] = await rows<{ n: number }>(
        em,
        'select count(*)::int as n from log_streams where job_id = ? and expected > bytes',
        [id],
      );
      const [kept] = await rows<{ start: string }>(
        em,
        `select coalesce((select min(start_byte) from job_logs where job_id = j.id), log_bytes) as start
         from jobs j where j.id = ? and j.pruned_seq > 0`,
        [id],
      );
      const offset = Math.max(from, Number(kept?.start ?? 0));
      const chunks = await rows<{ start: string; bytes: number; text: string }>(
        em,
        `select start_byte as start, bytes, text from job_logs
         where job_id = ? and start_byte + bytes > ? and start_byte < ? order by start_byte`,
        [id, offset, offset + LOG_PAGE_BYTES],
      );
      const first = chunks[0];
      const skipped = first ? Math.max(0, offset - Number(first.start)) : 0;
      const bytes = Buffer.from(chunks.map((chunk) => chunk.text).join('')).subarray(skipped);
      const ended = ['completed', 'failed', 'cancelled'].includes(job.status) && short?.n === 0;
      return {
        offset,
        nextOffset: offset + bytes.length,
        text: bytes.toString('utf8'),
        complete: ended && bytes.length === 0,
      };
    },
  };
  return repository;
}
