import type { StoredEvent } from '../../domain/events.ts';
import type { ProjectionBatch } from '../../domain/neosyntis/projection.ts';
import { isEnded, type RunStatus, runStatuses } from '../../domain/neosyntis/runs.ts';
import type { Sql } from '../orm.ts';
import { json, prepared } from '../sql.ts';
import { appending } from '../system/events.ts';
import { type Frame, frame } from './frames.ts';
import { noteLifecycle } from './lifecycle.ts';
import { runEvents } from './run-events.ts';
import { stepRows } from './step-rows.ts';

export interface Projected {
  frames: Frame[];
  events: StoredEvent[];
  /** Somebody waits for lifecycle events of it: what they are to be made of is noted. */
  lifecycle?: true;
  /** It has ended, and was an attempt of this tick of a task. */
  tick?: string;
  /** The row tells of another execution of the run: nothing was applied. */
  isOther?: true;
}

export const nothing: Projected = { frames: [], events: [] };

/** Statuses of runs that go on, as PostgreSQL writes a list. */
const OPEN = `{${runStatuses.filter((status) => !isEnded(status))}}`;

/**
 * Applies a batch in one statement, provided that it begins where the row is, which tells of this execution (or of the
 * one that it continues), is open and has no more progress. A batch that says nothing of the run's status is for one that is `status`.
 * @returns nothing when that is not so.
 */
export async function applyNext(
  em: Sql,
  batch: ProjectionBatch,
  execution: string | null,
  status: RunStatus = 'running',
): Promise<Projected | undefined> {
  const { runId, from, changes, progress } = batch;
  if (changes.length === 0) return nothing;
  const frames = changes.map((change) => frame(runId, change));
  const runs = changes.flatMap((change) => ('run' in change ? [change.run] : []));
  const last = runs.at(-1);
  const ended = last !== undefined && isEnded(last.status);
  const news = appending(
    last
      ? runs.flatMap((run) => runEvents({ runId, ownerId: null, status: run.status, progress }))
      : runEvents({ runId, ownerId: null, status, progress }).filter(({ topic }) => topic === 'jobs'),
    {
      owner: '(select owner_id from row)',
      provided: `exists (select from row${last ? '' : ' where row.progress <> row.reached'})`,
    },
  );
  const { steps, earlier } = stepRows(batch);
  const [applied] = await prepared<{
    before: string;
    owner_id: string | null;
    last_event: string | null;
    lifecycle: boolean;
    tick: string | null;
  }>(
    em,
    `with row as (
       select r.id, j.seq, j.progress, j.owner_id, r.trigger, ?::real as reached, ?::text as execution
       from runs r join jobs j on j.id = r.id
       where r.id = ?::uuid and r.projected = ?::bigint and j.progress <= ?::real and j.status = any(?::text[])
         and (r.execution is null or ?::text is null or r.execution in (?::text, ?::text))
       for update
     ), steps as (
       insert into run_steps as s (run_id, path, iteration, ordinal, begun, ended, name, kind, status, attempt, host,
         started_at, ended_at, input, input_blob, output, output_blob, directive, context, context_blob, error, reused,
         queue_ms, wait_ms, approval_id, idempotent)
       select row.id, x.path, x.iteration::int[], x.ordinal, x.begun, x.ended, x.name, x.kind, x.status, x.attempt,
         x.host, x."startedAt", x."endedAt", x.input, x."inputBlob", x.output, x."outputBlob", x.directive, x.context,
         x."contextBlob", x.error, coalesce(x.reused, false), x."queueMs", x."waitMs",
         x."approvalId", x.idempotent
       from row, json_to_recordset(?::json) as x(path text, iteration text, ordinal bigint, begun bigint, ended bigint,
         name text, kind text, status text, attempt int, host text, "startedAt" timestamptz, "endedAt" timestamptz,
         input json, "inputBlob" text, output json, "outputBlob" text, directive text, context json,
         "contextBlob" text, error jsonb, reused boolean, "queueMs" bigint, "waitMs" bigint,
         "approvalId" uuid, idempotent boolean)
       on conflict (run_id, path, iteration) do update set status = excluded.status, attempt = excluded.attempt,
         begun = case when excluded.attempt = s.attempt then s.begun else excluded.begun end, ended = excluded.ended,
         host = case when excluded.attempt = s.attempt then coalesce(excluded.host, s.host) else excluded.host end,
         started_at = coalesce(excluded.started_at, s.started_at), ended_at = excluded.ended_at,
         input = coalesce(excluded.input, s.input),
         input_blob = case when excluded.input is null then s.input_blob else excluded.input_blob end,
         output = excluded.output, output_blob = excluded.output_blob, directive = excluded.directive,
         context = excluded.context, context_blob = excluded.context_blob, error = excluded.error,
         reused = excluded.reused,
         queue_ms = case when excluded.attempt = s.attempt then coalesce(excluded.queue_ms, s.queue_ms)
           else excluded.queue_ms end,
         wait_ms = case when excluded.attempt = s.attempt then coalesce(excluded.wait_ms, s.wait_ms)
           else excluded.wait_ms end,
         approval_id = coalesce(excluded.approval_id, s.approval_id)
       returning (xmax = 0) as is_new
     ), before as (
       insert into run_step_attempts (run_id, path, iteration, attempt, status, host, started_at, ended_at, error,
         queue_ms, wait_ms)
       select row.id, x.path, x.iteration::int[], x.attempt, x.status, x.host, x."startedAt", x."endedAt", x.error,
         x."queueMs", x."waitMs"
       from row, json_to_recordset(?::json) as x(path text, iteration text, attempt int, status text, host text,
         "startedAt" timestamptz, "endedAt" timestamptz, error jsonb, "queueMs" bigint, "waitMs" bigint)
       union all
       select row.id, s.path, s.iteration, s.attempt, s.status, s.host, s.started_at, s.ended_at, s.error,
         s.queue_ms, s.wait_ms
       from row, json_to_recordset(?::json) as x(path text, iteration text, first int)
         join run_steps s on s.path = x.path and s.iteration = x.iteration::int[] and s.attempt < x.first
       where s.run_id = row.id
       on conflict do nothing
     ), frames as (
       insert into run_events (run_id, seq, frame)
       select row.id, row.seq + x.n, x.frame || jsonb_build_object('seq', row.seq + x.n)
       from row, jsonb_array_elements(?::jsonb) with ordinality as x(frame, n)
     ), job as (
       update jobs set seq = row.seq + ?::int, progress = row.reached, status = coalesce(?::text, status),
         updated_at = now(), started_at = coalesce(started_at, ?::timestamptz),
         ended_at = coalesce(?::timestamptz, ended_at)
       from row where jobs.id = row.id
     ), run as (
       update runs set steps_total = steps_total + (select count(*) from steps where is_new), projected = ?::bigint,
         output = ?::json, error = ?::jsonb, execution = coalesce(row.execution, runs.execution)
       from row where runs.id = row.id
     ), ${noteLifecycle}, ${news.queries}
     select row.seq as before, row.owner_id, counter.seq as last_event, exists (select from due) as lifecycle,
       row.trigger->>'task_run_id' as tick from row left join counter on true`,
    [
      ...[progress, execution],
      ...[runId, from - 1, progress, last ? OPEN : `{${status}}`],
      ...[execution, execution, batch.continues ?? execution],
      json(steps),
      json(earlier.told),
      json(earlier.stored),
      json(frames),
      ...[frames.length, last?.status ?? null, last?.startedAt ?? null, last?.endedAt ?? null],
      from + changes.length - 1,
      ended && last.output !== undefined ? json(last.output) : null,
      ended && last.error !== undefined ? json(last.error) : null,
      frames.length,
      ...news.params,
    ],
  );
  if (!applied) return undefined;
  const before = Number(applied.before);
  return {
    frames: frames.map((one, index) => ({ ...one, seq: before + index + 1 }) as Frame),
    events: applied.last_event === null ? [] : news.stored(Number(applied.last_event), applied.owner_id),
    ...(applied.lifecycle ? { lifecycle: true } : {}),
    ...(ended && applied.tick !== null ? { tick: applied.tick } : {}),
  };
}
