import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import type { CloudEvent, EventTopic, StoredEvent } from '../../domain/events.ts';
import type { Json } from '../../domain/wire.ts';
import type { Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';

export const EventEntity = defineEntity({
  name: 'Event',
  tableName: 'events',
  properties: {
    seq: p.bigint('number').primary().autoincrement(false),
    topic: p.text(),
    owner_id: p.uuid().nullable(),
    event: p.json().$type<CloudEvent>(),
    /** When its transaction began, for retention. */
    at: p.datetime(3).defaultRaw('now()'),
  },
});

export const EventCounterEntity = defineEntity({
  name: 'EventCounter',
  tableName: 'event_counter',
  properties: { id: p.integer().primary().autoincrement(false), seq: p.bigint('number') },
});

export interface NewEvent {
  topic: EventTopic;
  /** Such as `run.completed`; the prefix `dev.vareon.` is added. */
  type: string;
  source: string;
  subject: string;
  ownerId: string | null;
  data: Json;
}

/** Events that a statement numbers and stores: a part of it, and what they are once their first number is known. */
export interface Appended {
  /** Queries of a `with`: `counter` has the number of the last one in its `seq`. */
  queries: string;
  params: unknown[];
  /** `owner` is whose they are when that is known now only. */
  stored(lastSeq: number, owner?: string | null): StoredEvent[];
}

/**
 * Numbers and stores events in a statement with others. The counter's row is locked until the transaction commits,
 * so numbers follow the order of commits without gaps: it is the last statement of its transaction, and what
 * `stored` gives is published after the commit. `provided` is a condition without which there are none, `owner` an
 * expression for whose they are.
 */
export function appending(
  events: readonly NewEvent[],
  { provided = 'true', owner = 'x.owner_id' }: { provided?: string; owner?: string } = {},
): Appended {
  const made = events.map(cloudEvent);
  if (made.length === 0) return { queries: 'counter as (select 0 as seq)', params: [], stored: () => [] };
  return {
    queries: `counter as (
        update event_counter set seq = seq + ?::int where id = 1 and ${provided} returning seq
      ), appended as (
        insert into events (seq, topic, owner_id, event)
        select counter.seq - ?::int + x.n, x.topic, ${owner}, x.event
        from counter, jsonb_to_recordset(?::jsonb) as x(n bigint, topic text, owner_id uuid, event jsonb)
      )`,
    params: [made.length, made.length, json(made.map((event, index) => ({ ...event, n: index + 1 })))],
    stored: (lastSeq, ownerId) =>
      made.map((event, index) => ({
        seq: lastSeq - made.length + index + 1,
        ...event,
        ...(ownerId === undefined ? {} : { owner_id: ownerId }),
      })),
  };
}

/** As `appending`, in a statement of its own. */
export async function appendEvents(em: Sql, events: readonly NewEvent[]): Promise<StoredEvent[]> {
  if (events.length === 0) return [];
  const { queries, params, stored } = appending(events);
  const [counter] = await rows<{ seq: string }>(em, `with ${queries} select seq from counter`, params);
  return stored(Number(counter?.seq));
}

function cloudEvent(event: NewEvent): Omit<StoredEvent, 'seq'> {
  return {
    topic: event.topic,
    owner_id: event.ownerId,
    event: {
      specversion: '1.0',
      id: uuidv7(),
      source: event.source,
      type: `dev.vareon.${event.type}`,
      subject: event.subject,
      time: new Date().toISOString(),
      data: event.data,
    },
  };
}

/** The number of the newest event. */
export async function latestSeq(em: Sql): Promise<number> {
  const [counter] = await rows<{ seq: string }>(em, 'select seq from event_counter');
  return Number(counter?.seq ?? 0);
}

/** The number before the oldest event that is kept. */
export async function prunedSeq(em: Sql): Promise<number> {
  const [oldest] = await rows<{ seq: string | null }>(
    em,
    'select coalesce((select min(seq) - 1 from events), (select seq from event_counter)) as seq',
  );
  return Number(oldest?.seq ?? 0);
}

/** Events after `after` up to `to`, oldest first, at most `limit`. */
export async function eventsBetween(
  em: Sql,
  after: number,
  to: number,
  limit: number,
): Promise<StoredEvent[]> {
  const found = await rows<Omit<StoredEvent, 'seq'> & { seq: string }>(
    em,
    'select seq, topic, owner_id, event from events where seq > ? and seq <= ? order by seq limit ?',
    [after, to, limit],
  );
  return found.map((event) => ({ ...event, seq: Number(event.seq) }));
}
