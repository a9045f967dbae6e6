import type { WorkflowEvent } from '../../domain/neosyntis/cloud-event.ts';
import {
  type CorrelationKeys,
  type Hits,
  isComplete,
  joined,
  OPEN_SETS,
  type OpenSet,
} from '../../domain/neosyntis/event-starts.ts';
import { byteLength } from '../../domain/neosyntis/shown.ts';
import type { Json } from '../../domain/wire.ts';
import type { Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';

/** An event that a schedule takes, with how many runs were begun by events before it. */
export interface TakenEvent {
  seq: number;
  event: WorkflowEvent;
  chain: number;
}

interface Row extends OpenSet {
  first_seq: number;
  chain: number;
  bytes: number;
}

/** The sets of an `all` that are open, oldest first; the schedule's row is locked by whoever opens them. */
export async function openSets(tx: Sql, scheduleId: string) {
  const found = await rows<Omit<Row, 'first_seq'> & { first_seq: string }>(
    tx,
    'select first_seq, keys, met, chain, bytes from event_sets where schedule_id = ? order by first_seq',
    [scheduleId],
  );
  const sets: Row[] = found.map((set) => ({ ...set, first_seq: Number(set.first_seq) }));

  async function put(set: Row, event: WorkflowEvent): Promise<void> {
    await rows(
      tx,
      `insert into event_sets (schedule_id, first_seq, keys, met, events, chain, bytes)
       values (?, ?, ?::json, array(select json_array_elements_text(?::json)::boolean), array[?::json], ?, ?)
       on conflict (schedule_id, first_seq) do update set keys = excluded.keys, met = excluded.met,
         events = event_sets.events || excluded.events, chain = excluded.chain, bytes = excluded.bytes`,
      [scheduleId, set.first_seq, json(set.keys), json(set.met), json(event), set.chain, set.bytes],
    );
  }

  async function remove(at: number): Promise<WorkflowEvent[]> {
    const [gone] = sets.splice(at, 1);
    const [removed] = await rows<{ events: WorkflowEvent[] }>(
      tx,
      'delete from event_sets where schedule_id = ? and first_seq = ? returning array_to_json(events) as events',
      [scheduleId, gone?.first_seq],
    );
    return removed?.events ?? [];
  }

  return {
    /**
     * Adds an event to the oldest set that misses it, or opens one.
     * @returns the events of the set when it is complete by that
     */
    async take({ seq, event, chain }: TakenEvent, hits: Hits): Promise<Omit<TakenEvents, 'at'> | undefined> {
      const nothing: { keys: CorrelationKeys; met: boolean[] } = { keys: {}, met: [] };
      const at = sets.findIndex((set) => joined(set, hits) !== undefined);
      const set = sets[at];
      const now = joined(set ?? nothing, hits);
      if (!now) return undefined;
      const all = {
        first_seq: set?.first_seq ?? seq,
        ...now,
        chain: Math.max(set?.chain ?? 0, chain),
        bytes: (set?.bytes ?? 0) + byteLength(event as Json), // it came as JSON
      };
      if (isComplete(now)) return { events: [...(set ? await remove(at) : []), event], chain: all.chain };
      sets.splice(set ? at : sets.length, set ? 1 : 0, all);
      await put(all, event);
      return undefined;
    },

    /** Gives up the oldest sets when there are too many. @returns how many */
    async limit(): Promise<number> {
      let bytes = sets.reduce((sum, set) => sum + set.bytes, 0);
      let given = 0;
      for (; sets.length > OPEN_SETS.count || bytes > OPEN_SETS.bytes; given++) {
        bytes -= sets[0]?.bytes ?? 0;
        await remove(0);
      }
      return given;
    },
  };
}

/** Events that begin a run together. */
export interface TakenEvents {
  events: WorkflowEvent[];
  chain: number;
  /** When the last of them came. */
  at: Date;
}
