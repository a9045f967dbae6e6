import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { Run, RunStatus, RunSummary, Step, StepSummary } from '../../domain/neosyntis/runs.ts';
import { SHOWN_VALUE_LIMIT_BYTES } from '../../domain/neosyntis/runs.ts';
import type { Database, Sql } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { iso, type Page, pageClause, prepared, rows } from '../sql.ts';
import { createRun, type NewRun } from './new-runs.ts';
import { type RunFilter, runsWhere } from './run-filter.ts';

const began = `coalesce(r.trigger, jsonb_build_object('kind', 'manual',
  'at', to_char(j.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))) as trigger`;

const runColumns = `r.id, r.workflow_id, r.version, ${began}, j.status, round(j.progress::numeric, 1)::float8 as progress,
  r.input, r.output, r.error,
  case when r.rerun_of is not null then json_build_object('run_id', r.rerun_of, 'from', r.rerun_from,
    'iteration', r.rerun_iteration) end as rerun_of,
  case when r.parent_run_id is not null then json_build_object('run_id', r.parent_run_id, 'path', r.parent_path,
    'iteration', r.parent_iteration) end as parent, ${iso('j.created_at')}, ${iso('j.started_at')}, ${iso('j.ended_at')}`;

/** A list has many runs, and each may have large values: there they are as beside a step. */
const shortened = (column: string) => `case when octet_length(${column}::text) <= ${SHOWN_VALUE_LIMIT_BYTES}
  then ${column} else json_build_object('truncated', true, 'size_bytes', octet_length(${column}::text),
    'preview', left(${column}::text, 1024)) end`;

const listColumns = runColumns
  .replace('r.input', `${shortened('r.input')} as input`)
  .replace('r.output', `${shortened('r.output')} as output`);

export const stepColumns = `s.path, s.iteration, s.name, s.kind, s.status, s.attempt, s.reused, s.host,
  ${iso('s.started_at')}, ${iso('s.ended_at')}, s.error, s.approval_id, s.idempotent`;

const stepNames = `path, iteration, name, kind, status, attempt, reused, host, started_at, ended_at, error,
  approval_id, idempotent`;

const tables = 'runs r join jobs j on j.id = r.id';

/** A run's answer and the steps listed in it, at most this many. */
const STEPS_SHOWN = 1_000;
const RERUNS_SHOWN = 100;
export const LOG_SHOWN_LENGTH = 64 * 1024;
/** Of steps that come after so much data, values and logs are shown by their beginnings and ends only. */
const DATA_BYTES = 16 * 1024 * 1024;
const PREVIEW_LENGTH = 1_024;

const previewed = (
  column: string,
) => `case when sofar < ${DATA_BYTES} or octet_length(${column}::text) <= ${PREVIEW_LENGTH}
  then ${column} else json_build_object('truncated', true, 'size_bytes', octet_length(${column}::text),
    'preview', left(${column}::text, ${PREVIEW_LENGTH})) end as ${column}`;

export type RunRepository = ReturnType<typeof createRunRepository>;

export function createRunRepository({ em }: Database) {
  const repository = {
    create: (run: NewRun) => createRun(em, run),

    async list(
      user: Principal,
      workflowId: string,
      page: Page & { status?: RunStatus },
    ): Promise<RunSummary[]> {
      const owned = ownedBy(user, 'j.owner_id');
      const { where, params, tail } = pageClause(page, 'r.id');
      return rows<RunSummary>(
        em,
        `select ${listColumns} from ${tables} where r.workflow_id = ? and ${owned.where}
         ${page.status ? 'and j.status = ?' : ''} ${where} ${tail}`,
        [workflowId, ...owned.params, ...(page.status ? [page.status] : []), ...params],
      );
    },

    /** The runs that steps of a run have started. */
    async children(user: Principal, runId: string, page: Page): Promise<RunSummary[]> {
      const owned = ownedBy(user, 'j.owner_id');
      const { where, params, tail } = pageClause(page, 'r.id');
      return rows<RunSummary>(
        em,
        `select ${listColumns} from ${tables} where r.parent_run_id = ? and ${owned.where} ${where} ${tail}`,
        [runId, ...owned.params, ...params],
      );
    },

    /** Of all workflows. */
    async all(user: Principal, filter: Page & RunFilter): Promise<RunSummary[]> {
      const selected = runsWhere(user, filter);
      const { where, params, tail } = pageClause(filter, 'r.id');
      return rows<RunSummary>(
        em,
        `select ${listColumns} from ${tables} where ${selected.where} ${where} ${tail}`,
        [...selected.params, ...params],
      );
    },

    /** @throws AppError `not_found` */
    async summary(user: Principal, id: string, sql: Sql = em): Promise<RunSummary> {
      const owned = ownedBy(user, 'j.owner_id');
      const [run] = await prepared<RunSummary>(
        sql,
        `select ${runColumns} from ${tables} where r.id = ? and ${owned.where}`,
        [id, ...owned.params],
      );
      if (!run) throw new AppError('not_found', `There is no run ${id}.`);
      return run;
    },

    /** A run with its first 1,000 steps, each with data and the end of its log. */
    async get(user: Principal, id: string): Promise<Run> {
      const run = await repository.summary(user, id);
      const steps = await rows<Step>(
        em,
        `with shown as (
           select ${stepColumns}, s.ordinal, s.input, s.output, coalesce(right((
             select string_agg(l.text, '' order by l.seq) from (
               select text, seq from job_logs l where l.job_id = s.run_id and l.path = s.path
                 and l.iteration = s.iteration order by seq desc limit 16) l), ${LOG_SHOWN_LENGTH}), '') as logs
           from run_steps s where s.run_id = ? order by s.ordinal limit ${STEPS_SHOWN}
         ), bounded as (
           select *, coalesce(sum(coalesce(octet_length(input::text), 0) + coalesce(octet_length(output::text), 0)
             + octet_length(logs)) over (order by ordinal rows between unbounded preceding and 1 preceding), 0) as sofar
           from shown
         )
         select ${stepNames}, ${previewed('input')}, ${previewed('output')},
           case when sofar < ${DATA_BYTES} then logs else right(logs, ${PREVIEW_LENGTH}) end as logs
         from bounded order by ordinal`,
        [id],
      );
      const [more] = await rows<{ total: number; reruns: string[] }>(
        em,
        `select steps_total as total, array(select m.id from runs m where m.rerun_of = r.id order by m.id desc
           limit ${RERUNS_SHOWN}) as reruns from runs r where r.id = ?`,
        [id],
      );
      return { ...run, reruns: more?.reruns ?? [], steps, steps_total: more?.total ?? steps.length };
    },

    async steps(id: string, sql: Sql = em): Promise<StepSummary[]> {
      return rows<StepSummary>(
        sql,
        `select ${stepColumns} from run_steps s where s.run_id = ? order by s.ordinal limit ${STEPS_SHOWN}`,
        [id],
      );
    },

    /** The latest run of a workflow, if there is one. */
    async latest(user: Principal, workflowId: string): Promise<RunSummary | undefined> {
      const [run] = await repository.list(user, workflowId, { limit: 1 });
      return run;
    },
  };
  return repository;
}
