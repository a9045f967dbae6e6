import type { StoredEvent } from '../../domain/events.ts';
import type { Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import type { NewEvent } from '../system/events.ts';
import { jobEvent } from './agent-events.ts';
import { tickEvent } from './task-events.ts';
import type { TaskRow } from './task-rows.ts';

/** Ticks that may wait for the one before. */
export const BUFFER_LIMIT = 1_000;

/** What becomes of a tick that comes while others are open. */
export type Placed =
  | { kind: 'begins'; ends?: string[] }
  | { kind: 'waits' }
  | { kind: 'skipped'; reason: string };

interface Open {
  id: string;
  buffered: boolean;
  began_ms: number;
}

/** Ticks of a task that have not ended, the oldest first. */
export const openTicks = (tx: Sql, taskId: string): Promise<Open[]> =>
  rows<Open>(
    tx,
    `select id, buffered, (extract(epoch from coalesce(start_time, created_at)) * 1000)::float8 as began_ms
     from task_runs where task_id = ? and status in ('pending', 'running') order by scheduled_at, id`,
    [taskId],
  );

/**
 * Places a tick among those that are open, as the task's policy says. What overlaps is what was going on at its nominal
 * time: of several that are late the second waits for the first, whatever the policy, since each of them is wanted once.
 */
export async function placeTick(
  tx: Sql,
  task: TaskRow,
  at: Date,
): Promise<{ placed: Placed; told: NewEvent[] }> {
  const open = await openTicks(tx, task.id);
  const going = open.filter(({ buffered }) => !buffered);
  const waiting = open.filter(({ buffered }) => buffered);
  const overlapped = going.filter(({ began_ms }) => began_ms <= +at);
  const [first] = overlapped;
  if (overlapped.length > 0)
    await tx.execute('update task_runs set overran = true where id in (?)', [overlapped.map(({ id }) => id)]);
  const begins = { placed: { kind: 'begins' } as const, told: [] };
  if (open.length === 0 || task.overlap === 'allow_all') return begins;
  const skipped = (reason: string) => ({ placed: { kind: 'skipped', reason } as const, told: [] });
  if (waiting.length >= BUFFER_LIMIT)
    return skipped(`${BUFFER_LIMIT} ticks wait for the one before already, the limit.`);
  const waits = { placed: { kind: 'waits' } as const, told: [] };
  if (!first) return waits;
  switch (task.overlap) {
    case 'skip':
      return skipped(`Tick ${first.id} was still going on.`);
    case 'buffer_one':
      return waiting.length > 0
        ? skipped(`Tick ${first.id} was still going on, and another one waits.`)
        : waits;
    case 'buffer_all':
      return waits;
    case 'cancel_other': {
      const ids = overlapped.map(({ id }) => id);
      await tx.execute('update task_runs set cancel_asked = true where id in (?)', [ids]);
      const told = await endTicks(tx, task, waiting, 'A later tick took its place.');
      return { ...waits, told };
    }
    case 'terminate_other': {
      const told = await endTicks(tx, task, open, 'A later tick came.');
      return { placed: { kind: 'begins' }, told };
    }
  }
}

/** Ends ticks as cancelled, whatever they do; who runs them finds out. */
export async function endTicks(
  tx: Sql,
  task: Pick<TaskRow, 'id' | 'owner_id' | 'name'>,
  ticks: readonly { id: string }[],
  reason: string,
): Promise<NewEvent[]> {
  const ids = ticks.map(({ id }) => id);
  if (ids.length === 0) return [];
  const ended = await rows<{ id: string; at_ms: number }>(
    tx,
    `update task_runs set status = 'cancelled', buffered = false, end_time = now(), reason = ?
     where id in (?) and status in ('pending', 'running')
     returning id, (extract(epoch from scheduled_at) * 1000)::float8 as at_ms`,
    [reason, ids],
  );
  await tx.execute(
    `update jobs set status = 'cancelled', updated_at = now(), ended_at = now()
     where id in (?) and status not in ('completed', 'failed', 'cancelled')`,
    [ids],
  );
  return ended.flatMap(({ id, at_ms }) => [
    jobEvent({ id, ownerId: task.owner_id, status: 'cancelled' }),
    tickEvent(task, { id, status: 'cancelled', at: new Date(at_ms), reason }),
  ]);
}

/** Lets the oldest tick that waits begin, when none goes on. @returns its id */
export async function releaseNext(tx: Sql, taskId: string): Promise<string | undefined> {
  const open = await openTicks(tx, taskId);
  const [next] = open;
  if (!next || open.some(({ buffered }) => !buffered)) return undefined;
  await tx.execute('update task_runs set buffered = false where id = ?', [next.id]);
  return next.id;
}

/** What is to be done once a change of ticks is committed. */
export interface Follow {
  events: StoredEvent[];
  /** Ticks that begin now. */
  begin: string[];
}
