import type { Timeline, TimelineEntry } from '../../domain/neosyntis/steps.ts';
import type { Database } from '../orm.ts';
import { iso, rows } from '../sql.ts';

/** Tasks that hold others: their time is that of the tasks in them. */
const HOLDERS = "('do', 'for', 'fork', 'try')";
/** What the run does by itself, and asks nobody for. */
const OWN = "('set', 'switch', 'wait', 'listen', 'raise', 'do', 'for', 'fork', 'try')";

const span = (from: string, to: string) => `round(extract(epoch from ${to} - ${from}) * 1000)::float8`;

/** Every attempt of every step of a run, with its three times. */
const measured = `
  attempts as (
    select s.ordinal, s.path, s.iteration, s.name, s.kind, s.reused, s.attempt, s.status, s.host, s.started_at,
      s.ended_at, s.queue_ms, s.wait_ms
    from run_steps s where s.run_id = ?
    union all
    select s.ordinal, s.path, s.iteration, s.name, s.kind, false, a.attempt, a.status, a.host, a.started_at,
      a.ended_at, a.queue_ms, a.wait_ms
    from run_step_attempts a join run_steps s using (run_id, path, iteration) where a.run_id = ?
  ), timed as (
    select *, ${span('started_at', 'ended_at')} as elapsed,
      case when kind in ${OWN} or reused or status = 'skipped' then 0 else queue_ms::float8 end as queue,
      case when ended_at is not null then coalesce(wait_ms, 0)::float8 else wait_ms::float8 end as wait
    from attempts
  ), measured as (
    select *, case when kind not in ${HOLDERS} then greatest(0, elapsed - queue - wait) end as run from timed
  )`;

export type TimelineRepository = ReturnType<typeof createTimelineRepository>;

/** What a run cost. */
export function createTimelineRepository({ em }: Database) {
  return {
    /** @param page steps after the one with that number, with all their attempts. */
    async read(
      runId: string,
      { limit = 1_000, cursor = '0' }: { limit?: number; cursor?: string },
    ): Promise<{ timeline: Timeline; last?: string }> {
      const [sums] = await rows<Omit<Timeline, 'steps' | 'totals'> & Timeline['totals']>(
        em,
        `with ${measured}
         select r.id as run_id, ${span('j.created_at', 'j.started_at')} as start_ms,
           ${span('j.created_at', 'j.ended_at')} as elapsed_ms, m.*
         from runs r join jobs j on j.id = r.id, (
           select coalesce(sum(queue), 0)::float8 as queue_ms, coalesce(sum(run), 0)::float8 as run_ms,
             coalesce(sum(wait), 0)::float8 as wait_ms,
             (count(*) filter (where run is null and kind not in ${HOLDERS}))::int as unknown
           from measured) m
         where r.id = ?`,
        [runId, runId, runId],
      );
      const found = await rows<TimelineEntry & { ordinal: string }>(
        em,
        `with ${measured}, page as (
           select ordinal from run_steps where run_id = ? and ordinal > ? order by ordinal limit ?
         )
         select m.ordinal, path, iteration, name, kind, reused, attempt, status, host, ${iso('started_at')},
           ${iso('ended_at')}, queue as queue_ms, wait as wait_ms, run as run_ms
         from measured m join page using (ordinal) order by m.ordinal, attempt`,
        [runId, runId, runId, cursor, limit],
      );
      const { run_id = runId, start_ms = null, elapsed_ms = null, ...totals } = sums ?? none;
      const last = found.at(-1)?.ordinal;
      const isFull = new Set(found.map(({ ordinal }) => ordinal)).size >= limit;
      return {
        timeline: {
          ...{ run_id, start_ms, elapsed_ms, totals },
          steps: found.map(({ ordinal: _ordinal, ...entry }) => entry),
        },
        ...(isFull && last !== undefined ? { last } : {}),
      };
    },
  };
}

const none = {
  run_id: undefined,
  start_ms: null,
  elapsed_ms: null,
  queue_ms: 0,
  run_ms: 0,
  wait_ms: 0,
  unknown: 0,
};
