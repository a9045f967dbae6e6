import { defineEntity, p } from '@mikro-orm/postgresql';
import { scheduleIdOf } from '../../domain/names.ts';
import type { ScheduleKind, TickOutcome, Timing, WantedSchedule } from '../../domain/system/schedules.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';

export const ScheduleEntity = defineEntity({
  name: 'Schedule',
  tableName: 'schedules',
  properties: {
    /** As in Temporal. */
    id: p.text().primary(),
    kind: p.text().$type<ScheduleKind>(),
    /** What has it, such as a workflow. */
    subject_id: p.uuid(),
    timing: p.json().$type<Timing>(),
    paused: p.boolean().default(false),
    /** It stays until Temporal has no such schedule any more. */
    removed: p.boolean().default(false),
    /** The nominal time of the last tick, and what became of it. */
    last_at: p.datetime(3).nullable(),
    last_outcome: p.text().$type<TickOutcome>().nullable(),
    last_reason: p.text().nullable(),
    /** Of the last tick that started one. */
    last_run_id: p.uuid().nullable(),
    /** Why it does not do what it should. */
    problem: p.text().nullable(),
    created_at: p.datetime(3),
    updated_at: p.datetime(3),
  },
});

const wanted = 'id, kind, timing, paused, removed';

/** What Temporal is brought in line with, whoever owns it. */
export type WantedSchedules = ReturnType<typeof createWantedSchedules>;

export function createWantedSchedules({ em }: Pick<Database, 'em'>) {
  return {
    all: (): Promise<WantedSchedule[]> => rows(em, `select ${wanted} from schedules order by id`),
    async one(id: string): Promise<WantedSchedule | undefined> {
      const [found] = await rows<WantedSchedule>(em, `select ${wanted} from schedules where id = ?`, [id]);
      return found;
    },
    /** Temporal has it no more. */
    forget: async (id: string): Promise<void> => {
      await rows(em, 'delete from schedules where id = ? and removed', [id]);
    },
    noteProblem: async (id: string, problem: string): Promise<void> => {
      await rows(em, 'update schedules set problem = ? where id = ?', [problem.slice(0, 1_000), id]);
    },
  };
}

/**
 * Says when something is to begin by itself from now on, or that it is not; in the transaction that changes it.
 * A pause stays over a change, and ends with the schedule. What Temporal has follows after the commit.
 */
export async function wantSchedule(
  tx: Sql,
  { kind, subjectId, timing }: { kind: ScheduleKind; subjectId: string; timing: Timing | undefined },
): Promise<void> {
  if (!timing) {
    await rows(
      tx,
      'update schedules set removed = true, paused = false, updated_at = now() where subject_id = ?',
      [subjectId],
    );
    return;
  }
  await rows(
    tx,
    `insert into schedules (id, kind, subject_id, timing, created_at, updated_at)
     values (?, ?, ?, ?::jsonb, now(), now())
     on conflict (id) do update
     set timing = excluded.timing, removed = false, updated_at = now(), problem = null`,
    [scheduleIdOf(subjectId), kind, subjectId, json(timing)],
  );
}

/**
 * Locks the workflow of a schedule, before whoever begins runs of it locks the schedule: who saves takes them in this
 * order, too. In the other order one of both would be ended by PostgreSQL.
 */
export async function lockWorkflow(tx: Sql, scheduleId: string): Promise<void> {
  await rows(
    tx,
    'select 1 from workflows where id = (select subject_id from schedules where id = ?) for no key update',
    [scheduleId],
  );
}

/** A tick as the schedule's row shows it. */
export interface Tick {
  at: Date;
  outcome: TickOutcome;
  reason?: string;
  runId?: string;
}

/**
 * Notes what became of a tick; one that comes late tells nothing of the state now.
 * A tick that failed is the schedule's problem until another one starts something.
 */
export async function noteTick(tx: Sql, id: string, { at, outcome, reason, runId }: Tick): Promise<void> {
  await rows(
    tx,
    `update schedules set last_at = ?, last_outcome = ?, last_reason = ?, last_run_id = coalesce(?, last_run_id),
       problem = case ? when 'started' then null when 'failed' then ? else problem end
     where id = ? and (last_at is null or last_at <= ?)`,
    [at, outcome, reason ?? null, runId ?? null, outcome, reason ?? null, id, at],
  );
}
