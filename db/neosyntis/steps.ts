import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { RunStatus, StepStatus, StepSummary } from '../../domain/neosyntis/runs.ts';
import type { StepAttempt, StepDetail } from '../../domain/neosyntis/steps.ts';
import type { Database } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { iso, rows } from '../sql.ts';
import { LOG_SHOWN_LENGTH, stepColumns } from './runs.ts';

/** One step of a run. */
export interface StepPlace {
  path: string;
  iteration: number[];
}

export interface StepsWanted {
  name?: string;
  status?: StepStatus;
  kind?: string;
  path_prefix?: string;
  limit?: number;
  /** The number of the last step of the page before. */
  cursor?: string;
}

/** A value in the row, or the name of the blob that has it. */
export type StoredValue = { json: string } | { blob: string };

export type StepRepository = ReturnType<typeof createStepRepository>;

const PAGE = 1_000;

export const arrayOf = (iteration: number[]) => `{${iteration.join(',')}}`;

const sizeOf = (column: string) => `case when s.${column}_blob is not null
  then (s.${column}->>'size_bytes')::int else octet_length(s.${column}::text) end as ${column}_bytes`;

/** The steps of runs. Whose run it is, is asked first. */
export function createStepRepository({ em }: Database) {
  return {
    /** The run, if the user may see it. @throws AppError `not_found` */
    async run(user: Principal, id: string) {
      const owned = ownedBy(user, 'j.owner_id');
      const [run] = await rows<{ id: string; status: RunStatus; workflow_id: string; version: number }>(
        em,
        `select r.id, j.status, r.workflow_id, r.version from runs r join jobs j on j.id = r.id
         where r.id = ? and ${owned.where}`,
        [id, ...owned.params],
      );
      if (!run) throw new AppError('not_found', `There is no run ${id}.`);
      return run;
    },

    /** In the order in which they began; `last` is the cursor of the page after. */
    async list(runId: string, wanted: StepsWanted): Promise<{ items: StepSummary[]; last?: string }> {
      const conditions = [
        ['s.name = ?', wanted.name],
        ['s.status = ?', wanted.status],
        ['s.kind = ?', wanted.kind],
        ['starts_with(s.path, ?)', wanted.path_prefix],
        ['s.ordinal > ?', wanted.cursor],
      ].filter((one): one is [string, string] => one[1] !== undefined);
      const found = await rows<StepSummary & { ordinal: string }>(
        em,
        `select ${stepColumns}, s.ordinal from run_steps s
         where s.run_id = ? ${conditions.map(([where]) => `and ${where}`).join(' ')}
         order by s.ordinal limit ${wanted.limit ?? PAGE}`,
        [runId, ...conditions.map(([, value]) => value)],
      );
      const last = found.at(-1)?.ordinal;
      const items = found.map(({ ordinal: _ordinal, ...step }) => step);
      return { items, ...(last === undefined ? {} : { last }) };
    },

    /** @param attempt the latest one without it. @throws AppError `not_found` */
    async get(runId: string, { path, iteration }: StepPlace, attempt?: number): Promise<StepDetail> {
      const place = [runId, path, arrayOf(iteration)];
      const attempts = await rows<StepAttempt>(
        em,
        `select attempt, status, host, ${iso('started_at')}, ${iso('ended_at')}, error, queue_ms::float8 as queue_ms,
           wait_ms::float8 as wait_ms
         from (select run_id, path, iteration, attempt, status, host, started_at, ended_at, error, queue_ms, wait_ms
               from run_step_attempts
               union all
               select run_id, path, iteration, attempt, status, host, started_at, ended_at, error, queue_ms, wait_ms
               from run_steps) a
         where run_id = ? and path = ? and iteration = ?::int[] order by attempt`,
        place,
      );
      const wanted = attempts.find((one) => one.attempt === (attempt ?? attempts.at(-1)?.attempt));
      if (!wanted) throw missing(runId, path, iteration);
      const [step] = await rows<Omit<StepDetail, 'attempts'>>(
        em,
        `select ${stepColumns}, s.input, s.output, ${sizeOf('input')}, ${sizeOf('output')}, s.directive,
           s.queue_ms::float8 as queue_ms, s.wait_ms::float8 as wait_ms, coalesce(right((
             select string_agg(l.text, '' order by l.seq) from (
               select text, seq from job_logs l where l.job_id = s.run_id and l.path = s.path
                 and l.iteration = s.iteration and l.attempt = ?::int order by seq desc limit 16) l),
             ${LOG_SHOWN_LENGTH}), '') as logs
         from run_steps s where s.run_id = ? and s.path = ? and s.iteration = ?::int[]`,
        [wanted.attempt, ...place],
      );
      if (!step) throw missing(runId, path, iteration);
      return { ...step, ...wanted, attempts };
    },

    /** @throws AppError `not_found` when there is no such step, or it has no such value. */
    async value(
      runId: string,
      { path, iteration }: StepPlace,
      which: 'input' | 'output',
    ): Promise<StoredValue> {
      const [found] = await rows<{ json: string | null; blob: string | null }>(
        em,
        `select ${which}::text as json, ${which}_blob as blob from run_steps
         where run_id = ? and path = ? and iteration = ?::int[]`,
        [runId, path, arrayOf(iteration)],
      );
      if (!found) throw missing(runId, path, iteration);
      return found.blob === null ? { json: found.json ?? 'null' } : { blob: found.blob };
    },
  };
}

function missing(runId: string, path: string, iteration: number[]): AppError {
  const where = iteration.length === 0 ? path : `${path} in round ${iteration.join('.')}`;
  return new AppError(
    'not_found',
    `Run ${runId} has recorded no step at ${where.slice(0, 200)}: it was not reached, or is beyond the first 10,000.`,
  );
}
