import { EVENTS_KEPT_DAYS } from '../../domain/neosyntis/events.ts';
import type { Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { deleted, PIECE_ROWS, type Piece } from '../system/retention.ts';

/** Jobs of one piece, and frames of each: 1,000 rows together. */
const JOBS = 50;
const FRAMES = 20;

/** Steps of one piece, unless one run alone has more. */
const STEPS = 1_000;

const old = 'j.ended_at < now() - make_interval(days => ?)';

/** Runs that may go: not those that the status of their workflow shows. */
const isNoLatestRun = `j.type = 'workflow_run' and not exists (
  select 1 from workflows w join runs r on r.workflow_id = w.id
  where r.id = j.id and w.latest_run_id = j.id and w.deleted_at is null)`;

const isNoRun = `j.type <> 'workflow_run'`;

/** Deletes the oldest frames and log text of jobs that ended, and notes up to which number. */
export const pruneFrames = (tx: Sql, days: number): Promise<Piece> => frames(tx, old, [days]);

/** The same for jobs that are about to go themselves. */
export const pruneFramesOfRuns = (tx: Sql, days: number): Promise<Piece> =>
  frames(tx, `${old} and (${isNoRun} or ${isNoLatestRun})`, [days]);

async function frames(tx: Sql, where: string, params: unknown[]): Promise<Piece> {
  const [found] = await rows<{ jobs: number; n: number }>(
    tx,
    `with due as materialized (
       select j.id, j.pruned_seq as past, least(j.seq, j.pruned_seq + ${FRAMES}) as upto,
         j.pruned_seq + ${FRAMES} >= j.seq as is_last
       from jobs j where ${where} and j.pruned_seq < j.seq order by j.ended_at limit ${JOBS} for update),
     events as (delete from run_events e using due d
       where e.run_id = d.id and e.seq > d.past and e.seq <= d.upto returning 1),
     logs as (delete from job_logs l using due d
       where l.job_id = d.id and l.seq > d.past and l.seq <= d.upto returning 1),
     streams as (delete from log_streams s using due d where d.is_last and s.job_id = d.id returning 1),
     noted as (update jobs j set pruned_seq = d.upto from due d where j.id = d.id)
     select (select count(*)::int from due) as jobs,
       (select count(*) from events)::int + (select count(*) from logs)::int
         + (select count(*) from streams)::int as n`,
    params,
  );
  return { rows: found?.n ?? 0, more: (found?.jobs ?? 0) > 0 };
}

/**
 * Deletes runs whose frames are gone, with their steps and jobs; before that `removeBlobs` is told of each:
 * when it fails the rows stay, and the next pass tells it again. A run that is reset in this moment waits, and is gone.
 */
export async function pruneRuns(
  tx: Sql,
  days: number,
  removeBlobs: (runId: string) => Promise<void>,
): Promise<Piece> {
  const due = await rows<{ id: string }>(
    tx,
    `select id from (
       select j.id, row_number() over o as n, sum(r.steps_total) over o as steps
       from (select j.id, j.ended_at from jobs j
         where ${old} and ${isNoLatestRun} and j.pruned_seq >= j.seq order by j.ended_at limit ${JOBS}
         for update of j) j
       join runs r on r.id = j.id window o as (order by j.ended_at, j.id)) due
     where n = 1 or steps <= ${STEPS}`,
    [days],
  );
  const ids = due.map(({ id }) => id);
  if (ids.length === 0) return { rows: 0, more: false };
  await tx.execute("set local idle_in_transaction_session_timeout = '2min'"); // blobs may be far away
  for (const id of ids) await removeBlobs(id);
  await tx.execute('delete from run_step_attempts where run_id in (?)', [ids]);
  await tx.execute('delete from run_steps where run_id in (?)', [ids]);
  await tx.execute('delete from runs where id in (?)', [ids]);
  await tx.execute('delete from jobs where id in (?)', [ids]);
  return { rows: ids.length, more: true };
}

/** Deletes jobs that are no runs, once their frames are gone: the cancelling of many runs, for one. */
export const pruneJobs = (tx: Sql, days: number): Promise<Piece> =>
  deleted(
    tx,
    `delete from jobs where id in (
       select j.id from jobs j where ${old} and ${isNoRun} and j.pruned_seq >= j.seq
       order by j.ended_at limit ${PIECE_ROWS})`,
    [days],
  );

/** Deletes what became of tasks’ ticks. */
export const pruneTaskRuns = (tx: Sql, days: number): Promise<Piece> =>
  deleted(
    tx,
    `delete from task_runs where id in (
       select id from task_runs where end_time < now() - make_interval(days => ?) order by end_time limit ${PIECE_ROWS})`,
    [days],
  );

/** Deletes workflows that were deleted long ago and have no runs any more, with their versions. */
export async function pruneWorkflows(tx: Sql, days: number): Promise<Piece> {
  const due = await rows<{ id: string }>(
    tx,
    `select w.id from workflows w where w.deleted_at < now() - make_interval(days => ?)
       and not exists (select 1 from runs r where r.workflow_id = w.id) order by w.deleted_at limit ${JOBS}`,
    [days],
  );
  const ids = due.map(({ id }) => id);
  if (ids.length === 0) return { rows: 0, more: false };
  await tx.execute('delete from workflow_versions where workflow_id in (?)', [ids]);
  await tx.execute('delete from workflows where id in (?)', [ids]);
  return { rows: ids.length, more: true };
}

/** Events that one statement deletes at most. */
const EVENTS = 1_000;

/** Deletes the oldest events for runs, but none that is still to be delivered. */
export async function pruneInbox(tx: Sql): Promise<Piece> {
  const [found] = await rows<{ n: number }>(
    tx,
    `with gone as (
       delete from event_inbox where seq in (
         select e.seq from event_inbox e where e.received_at < now() - interval '${EVENTS_KEPT_DAYS} days'
           and not exists (select from event_deliveries d where d.seq = e.seq)
           and not exists (select from event_start_due d where d.seq = e.seq)
         order by e.received_at limit ${EVENTS})
       returning 1)
     select count(*)::int as n from gone`,
  );
  return { rows: found?.n ?? 0, more: found?.n === EVENTS };
}
