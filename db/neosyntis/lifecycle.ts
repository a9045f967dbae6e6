import { defineEntity, p } from '@mikro-orm/postgresql';
import type { WorkflowEvent } from '../../domain/neosyntis/cloud-event.ts';
import {
  type LifecycleBefore,
  type LifecycleFrame,
  type LifecycleRun,
  lifecycleEvents,
  stepKey,
} from '../../domain/neosyntis/lifecycle.ts';
import { locks } from '../locks.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import { chainOf } from './events.ts';

export const LifecycleDueEntity = defineEntity({
  name: 'LifecycleDue',
  tableName: 'lifecycle_due',
  properties: {
    run_id: p.uuid().primary(),
    first_seq: p.bigint('number').primary().autoincrement(false),
    last_seq: p.bigint('number'),
    at: p.datetime(3).defaultRaw('now()'),
  },
});

/** What the frames of a projection became: the runs that are to be sent it, and all of it for the bus. */
export interface LifecycleMade {
  ownerId: string;
  events: WorkflowEvent[];
  runs: string[];
  /** Schedules of workflows that it may begin a run of. */
  schedules: string[];
}

/**
 * Part of the statement that stores frames: notes which of them are due as lifecycle events, when a run of the same
 * owner waits for some or a workflow of theirs is begun by some. `row` has the run's id, owner and the number before the first; it has one parameter, how many.
 */
export const noteLifecycle = `due as (
    insert into lifecycle_due (run_id, first_seq, last_seq)
    select row.id, row.seq + 1, row.seq + ?::int from row
    where exists (select from event_subscriptions s where s.owner_id = row.owner_id and s.lifecycle <> '{}')
      or exists (select from event_starts s where s.owner_id = row.owner_id and s.lifecycle <> '{}')
    on conflict do nothing returning 1
  )`;

export type LifecycleStore = ReturnType<typeof createLifecycleStore>;

/** Lifecycle events are made of frames that are stored already, in one transaction: none is lost and none made twice. */
export function createLifecycleStore({ em }: Database) {
  return {
    /** Makes what is due of a run. */
    make: (runId: string): Promise<LifecycleMade | undefined> =>
      em.fork().transactional(async (tx) => {
        await rows(tx, 'select pg_advisory_xact_lock(?, hashtext(?))', [locks.lifecycle, runId]);
        const due = await rows<{ first_seq: string; last_seq: string }>(
          tx,
          'delete from lifecycle_due where run_id = ? returning first_seq, last_seq',
          [runId],
        );
        if (due.length === 0) return undefined;
        const about = await runOf(tx, runId);
        if (!about) return undefined;
        const first = Math.min(...due.map(({ first_seq }) => Number(first_seq)));
        const last = Math.max(...due.map(({ last_seq }) => Number(last_seq)));
        const frames = await framesOf(tx, runId, first, last);
        const events = lifecycleEvents(about.run, frames, await before(tx, runId, first, frames));
        return { ownerId: about.ownerId, events, ...(await store(tx, runId, about.ownerId, events)) };
      }),

    /** Runs of which something is due for so long. */
    async overdue(olderThanMs: number): Promise<string[]> {
      const found = await rows<{ run_id: string }>(
        em,
        'select distinct run_id from lifecycle_due where at < now() - make_interval(secs => ?) limit 1000',
        [olderThanMs / 1000],
      );
      return found.map(({ run_id }) => run_id);
    },
  };
}

async function runOf(tx: Sql, runId: string): Promise<{ run: LifecycleRun; ownerId: string } | undefined> {
  const [found] = await rows<Omit<LifecycleRun, 'id'> & { owner_id: string }>(
    tx,
    `select v.document->'document'->>'name' as name, v.document->'document'->>'namespace' as namespace,
       v.document->'document'->>'version' as version, j.owner_id
     from runs r join jobs j on j.id = r.id
       join workflow_versions v on v.workflow_id = r.workflow_id and v.version = r.version
     where r.id = ?`,
    [runId],
  );
  if (!found) return undefined;
  const { owner_id, ...document } = found;
  return { run: { id: runId, ...document }, ownerId: owner_id };
}

/** A frame tells when it began and ended; of what is between, now is near enough. */
const columns = `seq, coalesce(frame->'step'->>'started_at', frame->'run'->>'started_at') as "startedAt", frame->'run' as run, frame->'step' as step, coalesce(
  frame->'step'->>'ended_at', frame->'run'->>'ended_at',
  to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) as at`;

type FrameRow = Omit<LifecycleFrame, 'seq' | 'run' | 'step'> & {
  seq: string;
  run: LifecycleFrame['run'] | null;
  step: LifecycleFrame['step'] | null;
};

async function framesOf(tx: Sql, runId: string, first: number, last: number): Promise<LifecycleFrame[]> {
  const found = await rows<FrameRow>(
    tx,
    `select ${columns} from run_events where run_id = ? and seq between ? and ? order by seq`,
    [runId, first, last],
  );
  return found.map(({ seq, at, startedAt, run, step }) => ({
    seq: Number(seq),
    at,
    startedAt,
    ...(run ? { run } : {}),
    ...(step ? { step } : {}),
  }));
}

/** What the run and the steps that these frames are about were before. */
async function before(
  tx: Sql,
  runId: string,
  first: number,
  frames: LifecycleFrame[],
): Promise<LifecycleBefore> {
  const paths = [...new Set(frames.flatMap(({ step }) => (step ? [step.path] : [])))];
  const [run] = await rows<{ status: string }>(
    tx,
    `select frame->'run'->>'status' as status from run_events
     where run_id = ? and seq < ? and frame->>'type' = 'run' order by seq desc limit 1`,
    [runId, first],
  );
  const steps = await rows<{ path: string; iteration: number[]; status: string; attempt: number }>(
    tx,
    `select distinct on (frame->'step'->>'path', frame->'step'->'iteration')
       frame->'step'->>'path' as path, frame->'step'->'iteration' as iteration,
       frame->'step'->>'status' as status, (frame->'step'->>'attempt')::int as attempt
     from run_events where run_id = ? and seq < ?
       and frame->'step'->>'path' = any(array(select json_array_elements_text(?::json)))
     order by frame->'step'->>'path', frame->'step'->'iteration', seq desc`,
    [runId, first, json(paths)],
  );
  return { run: run?.status, steps: new Map(steps.map((step) => [stepKey(step), step])) };
}

/**
 * Keeps those that somebody waits for: for the other runs of the owner, and for workflows that they begin. No workflow
 * begins by what its own runs do: it would never come to an end.
 */
async function store(
  tx: Sql,
  runId: string,
  ownerId: string,
  events: WorkflowEvent[],
): Promise<Pick<LifecycleMade, 'runs' | 'schedules'>> {
  const [found] = await rows<Pick<LifecycleMade, 'runs' | 'schedules'>>(
    tx,
    `with wanted as materialized (
       select distinct s.run_id, s.lifecycle from event_subscriptions s join jobs j on j.id = s.run_id
       where s.owner_id = ? and s.run_id <> ? and s.lifecycle <> '{}'
         and j.status not in ('completed', 'failed', 'cancelled')
     ), starts as materialized (
       select s.schedule_id, s.lifecycle from event_starts s join schedules c on c.id = s.schedule_id
       where s.owner_id = ? and s.lifecycle <> '{}' and not c.paused and not c.removed
         and s.workflow_id <> (select workflow_id from runs where id = ?)
     ), asked as (
       select lifecycle from wanted union all select lifecycle from starts
     ), made as (
       insert into event_inbox (owner_id, source, id, type, event, chain)
       select ?::uuid, x.event->>'source', x.event->>'id', x.event->>'type', x.event, (select ${chainOf})
       from json_array_elements(?::json) with ordinality as x(event, n)
       where exists (select from asked a where x.event->>'type' = any(a.lifecycle)) order by x.n
       on conflict do nothing returning seq, type
     ), deliveries as (
       insert into event_deliveries (run_id, seq, is_direct)
       select distinct w.run_id, m.seq, false from made m join wanted w on m.type = any(w.lifecycle)
       returning run_id
     ), due as (
       insert into event_start_due (schedule_id, seq)
       select s.schedule_id, m.seq from made m join starts s on m.type = any(s.lifecycle)
       returning schedule_id
     )
     select array(select distinct run_id::text from deliveries) as runs,
       array(select distinct schedule_id from due) as schedules`,
    [ownerId, runId, ownerId, runId, ownerId, runId, json(events)],
  );
  return found ?? { runs: [], schedules: [] };
}
