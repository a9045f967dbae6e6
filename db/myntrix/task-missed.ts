import type { TaskClock } from '../../domain/myntrix/task-clock.ts';
import { latestMs, type Recurring } from '../../domain/system/schedules.ts';
import type { Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import { setNext, type TaskRow } from './task-rows.ts';

/** Rows of one look back; of what is older than these it is said how many they are. */
export const MISSED_LIMIT = 1_000;

/** A tick that the server has may be on its way for so long. */
const ON_ITS_WAY_MS = 30_000;

/**
 * Notes what should have come and did not: each nominal time from the first that has no row up to `to`.
 * @param idOf the id of the row of a nominal time
 * @returns how many were noted
 */
export async function noteMissed(
  tx: Sql,
  task: TaskRow,
  to: Date,
  { clock, idOf, reason }: { clock: TaskClock; idOf(taskId: string, at: Date): string; reason: string },
): Promise<number> {
  if (task.next_ms === null || task.next_ms > +to) return 0;
  const times = clock.between(task.timing, new Date(task.next_ms), to, MISSED_LIMIT);
  const found = await rows<{ id: string }>(
    tx,
    `insert into task_runs (id, task_id, trigger, scheduled_at, status, end_time, reason, has_job, notify_at, created_at)
     select x.id, ?, 'schedule', x.at, 'missed', now(), ?, false, case when ? and x.last then now() end, now()
     from jsonb_to_recordset(?::jsonb) as x(id uuid, at timestamptz, last boolean)
     on conflict (task_id, scheduled_at) where trigger in ('schedule', 'backfill') do nothing returning id`,
    [
      task.id,
      reason,
      task.told.includes('missed'),
      // Of many at once people are told once.
      json(times.map((at, n) => ({ id: idOf(task.id, at), at, last: n === times.length - 1 }))),
    ],
  );
  await setNext(tx, task, clock.next(task.timing, to));
  return found.length;
}

/** Up to when every tick that did not come is missed. */
export const missedUntil = (timing: Recurring, now = Date.now()): Date =>
  new Date(now - latestMs(timing) - ON_ITS_WAY_MS);
