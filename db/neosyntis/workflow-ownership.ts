import type { Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { reassignSeries } from './telemetry-series.ts';

/** What becomes of a user's workflows and telemetry when the user goes. */
export const workflowOwnership = {
  async ownedBy(em: Sql, userId: string): Promise<number> {
    const [owned] = await rows<{ n: number }>(
      em,
      `select (select count(*) from workflows where owner_id = ? and deleted_at is null and task_id is null)::int
         + (select count(*) from tasks where owner_id = ? and not removed)::int
         + (select count(*) from telemetry_series where owner_id = ?)::int as n`,
      [userId, userId, userId],
    );
    return owned?.n ?? 0;
  },
  async reassign(em: Sql, fromUserId: string, toUserId: string): Promise<void> {
    await em.execute('update workflows set owner_id = ? where owner_id = ?', [toUserId, fromUserId]);
    await em.execute('update tasks set owner_id = ? where owner_id = ?', [toUserId, fromUserId]);
    await em.execute('update jobs set owner_id = ? where owner_id = ?', [toUserId, fromUserId]);
    await em.execute('update event_subscriptions set owner_id = ? where owner_id = ?', [
      toUserId,
      fromUserId,
    ]);
    await em.execute('update event_starts set owner_id = ? where owner_id = ?', [toUserId, fromUserId]);
    await em.execute('update events set owner_id = ? where owner_id = ?', [toUserId, fromUserId]);
    await reassignSeries(em, fromUserId, toUserId);
  },
};
