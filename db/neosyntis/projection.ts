import type { StoredEvent } from '../../domain/events.ts';
import type { ProjectionBatch } from '../../domain/neosyntis/projection.ts';
import { isEnded, type RunStatus, runStatuses } from '../../domain/neosyntis/runs.ts';
import type { Database, Sql } from '../orm.ts';
import { json, prepared, rows } from '../sql.ts';
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
  /** The row tells of another execution of the run: nothing was applied. */
  isOther?: true;
}

interface Row {
  status: RunStatus;
  execution: string | null;
  projected: string;
  progress: number;
}

/**
 * Applies a run's changes to the read model in one transaction and numbers the frames that tell of them.
 * Changes that were applied before are left out, and an ended run does not change any more. `execution` is
 * Temporal's id of what sent them: after a reset it is another one, which rebuildRun() lets in.
 */
export async function applyProjection(
  { em }: Database,
  batch: ProjectionBatch,
  execution: string | null,
): Promise<Projected> {
  // As a rule it goes on where the row is: then one statement does it.
  const next = await applyNext(em, batch, execution);
  if (next) return next;
  return em.fork().transactional(async (tx) => {
    const row = await lock(tx, batch.runId);
    if (!row) return nothing;
    const tellers: (string | null | undefined)[] = [null, execution, batch.continues];
    if (execution !== null && !tellers.includes(row.execution)) return { ...nothing, isOther: true };
    if (isEnded(row.status)) return nothing;
    return applyRest(tx, row, batch, execution);
  });
}

/**
 * As applyProjection(), for changes that somebody else makes on the run's behalf: all of them, or none.
 * @returns nothing when the run has told something since `batch.from` was read.
 */
export async function applyWhole(
  { em }: Database,
  batch: ProjectionBatch,
  execution: string | null,
): Promise<Projected | undefined> {
  return em.fork().transactional(async (tx) => {
    const row = await lock(tx, batch.runId);
    if (!row || isEnded(row.status)) return nothing;
    if (row.execution !== null && execution !== null && row.execution !== execution) return nothing;
    if (Number(row.projected) + 1 !== batch.from) return undefined;
    return applyRest(tx, row, batch, execution);
  });
}

/**
 * Makes a run's row and steps what another execution of it says, from change `batch.from` on, and open again. Frames
 * and events go on with the next numbers. It does nothing when the row tells of another execution than `from` by now.
 */
export async function rebuildRun(
  { em }: Database,
  batch: ProjectionBatch,
  { from, to: execution }: { from: string | null; to: string },
): Promise<Projected> {
  return em.fork().transactional(async (tx) => {
    const row = await lock(tx, batch.runId);
    if (!row || row.execution !== from || from === execution) return nothing;
    const kept = batch.from - 1;
    await tx.execute('delete from run_steps where run_id = ? and ordinal > ?', [batch.runId, kept]);
    await tx.execute(
      `delete from run_step_attempts a where run_id = ? and not exists (
         select from run_steps s where s.run_id = a.run_id and s.path = a.path and s.iteration = a.iteration)`,
      [batch.runId],
    );
    await tx.execute(
      `update runs set projected = ?, output = null, error = null, execution = null,
         steps_total = (select count(*) from run_steps where run_id = id) where id = ?`,
      [kept, batch.runId],
    );
    await tx.execute("update jobs set status = 'running', progress = 0, ended_at = null where id = ?", [
      batch.runId,
    ]);
    return applyRest(
      tx,
      { ...row, projected: String(kept), progress: 0, status: 'running' },
      batch,
      execution,
    );
  });
}

const nothing: Projected = { frames: [], events: [] };

/** The row tells of another execution from now on, which goes on where the one that it told of has ended. */
export async function continueRun(
  { em }: Database,
  runId: string,
  { from, to }: { from: string; to: string },
): Promise<void> {
  await em.execute('update runs set execution = ? where id = ? and execution = ?', [to, runId, from]);
}

async function lock(tx: Sql, runId: string): Promise<Row | undefined> {
  const [row] = await rows<Row>(
    tx,
    `select j.status, r.execution, r.projected, j.progress from runs r join jobs j on j.id = r.id
     where r.id = ? for update`,
    [runId],
  );
  return row;
}

/** What of the batch is not applied yet, to a row that is locked. */
async function applyRest(
  tx: Sql,
  row: Row,
  batch: ProjectionBatch,
  execution: string | null,
): Promise<Projected> {
  const applied = Math.max(0, Number(row.projected) + 1 - batch.from);
  const rest = {
    ...batch,
    from: batch.from + applied,
    changes: batch.changes.slice(applied),
    progress: Math.max(row.progress, batch.progress),
  };
  return (await applyNext(tx, rest, execution, row.status)) ?? nothing;
}

/** Statuses of runs that go on, as PostgreSQL writes a list. */
const OPEN = `{${runStatuses.filter((status) => !isEnded(status))}}`;

/**
 * Applies a batch in one statement, provided that it begins where the row is, which tells of this execution (or of the
 * one that it continues), is open and has no more progress. A batch that says nothing of the run's status is for one that is `status`.
 * @returns nothing when that is not so.
 */
async function applyNext(
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
  }>(
    em,
    `with row as (
       select r.id, j.seq, j.progress, j.owner_id, ?::real as reached, ?::text as execution
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
     select row.seq as before, row.owner_id, counter.seq as last_event, exists (select from due) as lifecycle from row left join counter on true`,
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
  };
}
