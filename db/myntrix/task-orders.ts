import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { endTicks, type Follow } from './task-overlap.ts';
import { lockTask } from './task-rows.ts';

/** A tick in Temporal: the workflow that begins its attempts, and the run that the newest one is. */
export interface TickParts {
  id: string;
  attempt: number;
  runId: string | null;
}

/** What a tick that was written asks of Temporal. */
export interface TickOrders {
  /** Its workflow begins it. */
  begins: boolean;
  /** The run that it began with, unless that has begun. */
  run: string | null;
  cancel: TickParts[];
}

const parts = "json_build_object('id', o.id, 'attempt', o.attempt, 'runId', o.run_id)";

/** What is to be done in Temporal for rows of ticks. */
export function createTaskOrders({ em }: Database) {
  return {
    /** For a tick that was written. Asked again it says the same. */
    async todo(id: string): Promise<TickOrders> {
      const [tick] = await rows<TickOrders>(
        em,
        `select r.status = 'pending' and not r.buffered as begins,
           (select j.id::text from jobs j where j.id = r.run_id and j.status = 'pending' and r.status = 'running') as run,
           array(select ${parts} from task_runs o
             where o.task_id = r.task_id and o.id <> r.id and o.start_time is not null
               and ((t.overlap = 'cancel_other' and r.buffered and r.status = 'pending' and o.status = 'running')
                 or (t.overlap = 'terminate_other' and o.status = 'cancelled'
                   and o.end_time > now() - interval '1 minute'))
           ) as cancel
         from task_runs r join tasks t on t.id = r.task_id where r.id = ?`,
        [id],
      );
      return tick ?? { begins: false, run: null, cancel: [] };
    },

    /**
     * Notes that a tick shall end; one that waits for another one ends at once.
     * @returns what goes on of it in Temporal
     */
    cancel: (id: string): Promise<{ events: Follow['events']; open?: TickParts }> =>
      em.fork().transactional(async (tx) => {
        const task = await lockTaskOf(tx, id);
        const [tick] = await rows<TickParts & { waits: boolean }>(
          tx,
          `update task_runs set cancel_asked = true where id = ? and status in ('pending', 'running')
           returning id, attempt, run_id as "runId", buffered as waits`,
          [id],
        );
        if (!task || !tick) return { events: [] };
        const { waits, ...open } = tick;
        if (!waits) return { events: [], open };
        return { events: await appendEvents(tx, await endTicks(tx, task, [tick], 'It was cancelled.')) };
      }),
  };
}

export type TaskOrders = ReturnType<typeof createTaskOrders>;

async function lockTaskOf(tx: Sql, tickId: string) {
  const [found] = await rows<{ task_id: string }>(tx, 'select task_id from task_runs where id = ?', [tickId]);
  return found && lockTask(tx, found.task_id);
}
