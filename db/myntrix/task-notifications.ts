import type { ToldKind } from '../../domain/myntrix/tasks.ts';
import type { Database, Sql } from '../orm.ts';
import { iso, rows } from '../sql.ts';

/** What people are told of a tick, and who they are. */
export interface NotifiedTick {
  id: string;
  task_id: string;
  name: string;
  status: ToldKind;
  scheduled_at: string;
  reason: string | null;
  run_id: string | null;
  email: string[];
  webhook_url: string | null;
  sealed: Buffer | null;
}

const columns = `r.id, r.task_id, t.name, r.status, ${iso('r.scheduled_at')}, r.reason, r.run_id, t.email, t.webhook_url,
  t.sealed`;

/** Nothing when nobody wants to be told any more. */
export async function notifiedTick(sql: Sql, id: string): Promise<NotifiedTick | undefined> {
  const [tick] = await rows<NotifiedTick>(
    sql,
    `select ${columns} from task_runs r join tasks t on t.id = r.task_id
     where r.id = ? and r.status in ('failed', 'skipped', 'missed') and not t.removed`,
    [id],
  );
  return tick;
}

/**
 * Takes ticks of which somebody is to be told, oldest first; `send` does what belongs into the transaction that marks
 * one as told. One that is being taken elsewhere is left to those.
 */
export async function takeToldTicks(
  { em }: Database,
  limit: number,
  send: (tx: Sql, tick: NotifiedTick) => Promise<void>,
): Promise<void> {
  for (let taken = 0; taken < limit; taken++) {
    const isOne = await em.fork().transactional(async (tx) => {
      const [due] = await rows<{ id: string }>(
        tx,
        `update task_runs set notify_at = null where id = (
           select id from task_runs where notify_at <= now() order by notify_at limit 1 for update skip locked)
         returning id`,
      );
      if (!due) return false;
      const tick = await notifiedTick(tx, due.id);
      if (tick) await send(tx, tick);
      return true;
    });
    if (!isOne) return;
  }
}
