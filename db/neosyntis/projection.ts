import { defineEntity, p } from '@mikro-orm/postgresql';
import type { StoredEvent } from '../../domain/events.ts';
import type { Change, ProjectionBatch, StepChange } from '../../domain/neosyntis/projection.ts';
import { isEnded, type RunStatus } from '../../domain/neosyntis/runs.ts';
import { shown } from '../../domain/neosyntis/shown.ts';
import type { Json } from '../../domain/wire.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import { appending, type NewEvent } from '../system/events.ts';
import { runEvents } from './run-events.ts';

export const RunEventEntity = defineEntity({
  name: 'RunEvent',
  tableName: 'run_events',
  properties: {
    run_id: p.uuid().primary(),
    seq: p.bigint('number').primary().autoincrement(false),
    frame: p.json().$type<Frame>(),
  },
});

export interface Frame {
  type: 'step' | 'run';
  seq: number;
  [name: string]: Json;
}

export interface Projected {
  frames: Frame[];
  events: StoredEvent[];
  /** The row tells of another execution of the run: nothing was applied. */
  isOther?: true;
}

interface Row {
  status: RunStatus;
  execution: string | null;
  owner_id: string | null;
  projected: string;
  seq: string;
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
  return em.fork().transactional(async (tx) => {
    const row = await lock(tx, batch.runId);
    if (!row) return nothing;
    if (row.execution !== null && execution !== null && row.execution !== execution)
      return { ...nothing, isOther: true };
    if (isEnded(row.status)) return nothing;
    return apply(tx, row, batch, execution);
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
    return apply(tx, row, batch, execution);
  });
}

/**
 * Makes a run's row and steps what another execution of it says, from its first change on, and open again. Frames and
 * events go on with the next numbers. It does nothing when the row tells of that execution already.
 */
export async function rebuildRun(
  { em }: Database,
  batch: ProjectionBatch,
  execution: string,
): Promise<Projected> {
  return em.fork().transactional(async (tx) => {
    const row = await lock(tx, batch.runId);
    if (!row || row.execution === execution) return nothing;
    await tx.execute('delete from run_steps where run_id = ?', [batch.runId]);
    await tx.execute(
      'update runs set projected = 0, steps_total = 0, output = null, error = null where id = ?',
      [batch.runId],
    );
    await tx.execute("update jobs set status = 'running', progress = 0, ended_at = null where id = ?", [
      batch.runId,
    ]);
    return apply(tx, { ...row, projected: '0', progress: 0, status: 'running' }, batch, execution);
  });
}

const nothing: Projected = { frames: [], events: [] };

async function lock(tx: Sql, runId: string): Promise<Row | undefined> {
  const [row] = await rows<Row>(
    tx,
    `select j.status, j.owner_id, r.execution, r.projected, j.seq, j.progress from runs r join jobs j on j.id = r.id
     where r.id = ? for update`,
    [runId],
  );
  return row;
}

async function apply(
  tx: Sql,
  row: Row,
  batch: ProjectionBatch,
  execution: string | null,
): Promise<Projected> {
  const changes = batch.changes.slice(Math.max(0, Number(row.projected) + 1 - batch.from));
  if (changes.length === 0) return nothing;
  const frames = changes.map((change, index) => frame(batch.runId, change, Number(row.seq) + index + 1));
  const last = changes.flatMap((change) => ('run' in change ? [change.run] : [])).at(-1);
  const progress = Math.max(row.progress, batch.progress);
  const ended = last !== undefined && isEnded(last.status);
  const news = appending(events(batch.runId, row, changes, progress));
  const [written] = await rows<{ seq: string }>(
    tx,
    // Casts tell types where a parameter alone does not.
    `with steps as (
       insert into run_steps as s (run_id, path, iteration, ordinal, name, kind, status, attempt, host, started_at,
         ended_at, input, output, error)
       select ?::uuid, path, iteration::int[], ordinal, name, kind, status, attempt, host, "startedAt", "endedAt",
         input, output, error
       from json_to_recordset(?::json) as x(path text, iteration text, ordinal bigint, name text, kind text,
         status text, attempt int, host text, "startedAt" timestamptz, "endedAt" timestamptz, input json,
         output json, error jsonb)
       on conflict (run_id, path, iteration) do update set status = excluded.status, attempt = excluded.attempt,
         host = coalesce(excluded.host, s.host), started_at = coalesce(excluded.started_at, s.started_at),
         ended_at = excluded.ended_at, input = coalesce(excluded.input, s.input),
         output = coalesce(excluded.output, s.output), error = excluded.error
       returning (xmax = 0) as is_new
     ), frames as (
       insert into run_events (run_id, seq, frame)
       select ?::uuid, (frame->>'seq')::bigint, frame from jsonb_array_elements(?::jsonb) as x(frame)
     ), job as (
       update jobs set seq = ?, progress = ?, status = coalesce(?, status), updated_at = now(),
         started_at = coalesce(started_at, ?::timestamptz), ended_at = coalesce(?::timestamptz, ended_at)
       where id = ?
     ), run as (
       update runs set steps_total = steps_total + (select count(*) from steps where is_new), projected = ?,
         output = ?::json, error = ?::jsonb, execution = coalesce(?, execution)
       where id = ?
     ), ${news.queries}
     select seq from counter`,
    [
      ...[batch.runId, json(stepRows(batch, changes))],
      ...[batch.runId, json(frames)],
      ...[frames.at(-1)?.seq ?? 0, progress, last?.status ?? null, last?.startedAt ?? null],
      ...[last?.endedAt ?? null, batch.runId],
      batch.from + batch.changes.length - 1,
      ended && last.output !== undefined ? json(last.output) : null,
      ended && last.error !== undefined ? json(last.error) : null,
      ...[execution, batch.runId],
      ...news.params,
    ],
  );
  return { frames, events: news.stored(Number(written?.seq)) };
}

function frame(runId: string, change: Change, seq: number): Frame {
  if ('step' in change) {
    const { startedAt, endedAt, input: _input, output: _output, error, host, ...step } = change.step;
    return {
      type: 'step',
      seq,
      step: {
        ...step,
        host: host ?? null,
        started_at: startedAt ?? null,
        ended_at: endedAt ?? null,
        error: error ?? null,
      },
    };
  }
  const { status, startedAt, endedAt, output, error } = change.run;
  return {
    type: 'run',
    seq,
    run: {
      id: runId,
      status,
      started_at: startedAt ?? null,
      ended_at: endedAt ?? null,
      output: output === undefined ? null : shown(output),
      error: error ?? null,
    },
  };
}

/** Each step once, as its last change leaves it. */
function stepRows(batch: ProjectionBatch, changes: Change[]) {
  const latest = new Map<string, StepChange & { ordinal: number }>();
  const offset = batch.from + batch.changes.length - changes.length;
  changes.forEach((change, index) => {
    if (!('step' in change)) return;
    const key = `${change.step.path} ${change.step.iteration.join('.')}`;
    const before = latest.get(key);
    latest.set(key, { ...before, ...change.step, ordinal: before?.ordinal ?? offset + index });
  });
  return [...latest.values()].map((step) => ({ ...step, iteration: `{${step.iteration.join(',')}}` }));
}

function events(runId: string, row: Row, changes: Change[], progress: number): NewEvent[] {
  const statuses = changes.flatMap((change) => ('run' in change ? [change.run.status] : []));
  const ownerId = row.owner_id;
  if (statuses.length > 0)
    return statuses.flatMap((status) => runEvents({ runId, ownerId, status, progress }));
  if (progress === row.progress) return [];
  return runEvents({ runId, ownerId, status: row.status, progress }).filter(({ topic }) => topic === 'jobs');
}

/** Frames of a run after `after`, log chunks among them, oldest first, at most `limit`. */
export async function framesAfter(
  { em }: Database,
  runId: string,
  after: number,
  limit: number,
): Promise<Frame[]> {
  const found = await rows<{ frame: Frame }>(
    em,
    `select frame from (
       select seq, frame from run_events where run_id = ? and seq > ?
       union all
       select seq, jsonb_build_object('type', 'log', 'seq', seq, 'path', path, 'iteration', iteration, 'attempt', attempt,
         'stream', stream, 'offset', stream_byte, 'text', text,
         'at', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) as frame
       from job_logs where job_id = ? and seq > ?) f
     order by seq limit ?`,
    [runId, after, runId, after, limit],
  );
  return found.map(({ frame }) => frame);
}
