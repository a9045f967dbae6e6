import { Context, heartbeat } from '@temporalio/activity';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { type BulkCounts, bulkRuns, noteBulk } from '../../../db/neosyntis/bulk.ts';
import type { Database } from '../../../db/orm.ts';
import type { RunStatus } from '../../../domain/neosyntis/runs.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';

/** Cancels sent at once; people see how far it is after each. */
const PIECE = 20;

export function createBulkActivities({
  database,
  bus,
  client,
}: {
  database: Database;
  bus: Bus;
  client: Client;
}) {
  const publish = createNews(bus).events;

  async function cancelOne(id: string, counts: BulkCounts): Promise<void> {
    try {
      await client.workflow.getHandle(id).cancel();
      counts.cancelled++;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) counts.ended++;
      else counts.failed++;
    }
  }

  return {
    /** Cancels the runs of a job; a run that is cancelled twice is cancelled once. */
    async cancelMany(jobId: string): Promise<void> {
      const ids = await bulkRuns(database, jobId);
      if (!ids) return;
      const counts: BulkCounts = { cancelled: 0, ended: 0, failed: 0 };
      const note = async (status: RunStatus, done: number) =>
        publish(
          await noteBulk(database, jobId, status, ids.length === 0 ? 100 : (100 * done) / ids.length, counts),
        );
      for (let at = 0; at < ids.length; at += PIECE) {
        heartbeat(at);
        if (Context.current().cancellationSignal.aborted) return note('cancelled', at);
        await note('running', at);
        await Promise.all(ids.slice(at, at + PIECE).map((id) => cancelOne(id, counts)));
      }
      await note(counts.failed > 0 ? 'failed' : 'completed', ids.length);
    },
  };
}

export type BulkActivities = ReturnType<typeof createBulkActivities>;
