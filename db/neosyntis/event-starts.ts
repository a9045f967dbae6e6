import { defineEntity, p } from '@mikro-orm/postgresql';
import { scheduleIdOf } from '../../domain/names.ts';
import type { WorkflowEvent } from '../../domain/neosyntis/cloud-event.ts';
import {
  type CorrelationKeys,
  type DueEvents,
  PAYLOAD,
  startedBy,
} from '../../domain/neosyntis/event-starts.ts';
import type { Timing } from '../../domain/system/schedules.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';

export const EventStartEntity = defineEntity({
  name: 'EventStart',
  tableName: 'event_starts',
  properties: {
    schedule_id: p.text().primary(),
    workflow_id: p.uuid(),
    owner_id: p.uuid(),
    types: p.array().$type<string[]>().columnType('text[]').nullable(),
    lifecycle: p.array().$type<string[]>().columnType('text[]').defaultRaw("'{}'"),
  },
});

export const EventStartDueEntity = defineEntity({
  name: 'EventStartDue',
  tableName: 'event_start_due',
  properties: {
    schedule_id: p.text().primary(),
    seq: p.bigint('number').primary().autoincrement(false),
    at: p.datetime(3).defaultRaw('now()'),
  },
});

export const EventSetEntity = defineEntity({
  name: 'EventSet',
  tableName: 'event_sets',
  properties: {
    schedule_id: p.text().primary(),
    first_seq: p.bigint('number').primary().autoincrement(false),
    keys: p.json().$type<CorrelationKeys>().columnType('json'),
    met: p.array().$type<boolean[]>().columnType('boolean[]'),
    events: p.array().$type<WorkflowEvent[]>().columnType('json[]'),
    chain: p.integer(),
    bytes: p.integer(),
  },
});

/**
 * Gives up what waits for the rest of its set when other events are wanted from now on; in the transaction that changes
 * the workflow and before its schedule is changed.
 */
export async function giveUpSets(tx: Sql, workflowId: string, timing: Timing | undefined): Promise<void> {
  const id = scheduleIdOf(workflowId);
  // Locked: whoever holds events against what was wanted before is done with it.
  const [known] = await rows<{ same: boolean }>(
    tx,
    `select timing->'on' is not distinct from ?::jsonb as same from schedules where id = ? for update`,
    [timing?.kind === 'on' ? json(timing.on) : null, id],
  );
  if (known && !known.same) await rows(tx, 'delete from event_sets where schedule_id = ?', [id]);
}

/** Says which events begin runs of a workflow from now on, or that none does; after its schedule was changed. */
export async function wantEventStarts(
  tx: Sql,
  workflowId: string,
  timing: Timing | undefined,
): Promise<void> {
  const id = scheduleIdOf(workflowId);
  if (timing?.kind !== 'on') {
    await rows(tx, 'delete from event_starts where schedule_id = ?', [id]);
    return;
  }
  const { types, lifecycle } = startedBy(timing.on);
  await rows(
    tx,
    `insert into event_starts (schedule_id, workflow_id, owner_id, types, lifecycle)
     select ?, w.id, w.owner_id, case when ?::boolean then array(select json_array_elements_text(?::json)) end,
       array(select json_array_elements_text(?::json))
     from workflows w where w.id = ?
     on conflict (schedule_id) do update set types = excluded.types, lifecycle = excluded.lifecycle`,
    [id, types !== null, json(types ?? []), json(lifecycle), workflowId],
  );
}

/** What is done in one go: runs are written one after the other, and the installation's events wait for that. */
const BATCH = 25;

/** What tells one `on` from another. */
export const digestOf = 'md5(s.timing::text)';

export type EventStartQueue = ReturnType<typeof createEventStartQueue>;

/** What has come for schedules and was not looked at. */
export function createEventStartQueue({ em }: Pick<Database, 'em'>) {
  return {
    /** The oldest events that a schedule was not held against; of one that is paused or gone they are forgotten. */
    async due(scheduleId: string): Promise<DueEvents | undefined> {
      const [wanted] = await rows<{ timing: Timing; digest: string }>(
        em,
        `select s.timing, ${digestOf} as digest from schedules s where s.id = ? and not s.paused and not s.removed`,
        [scheduleId],
      );
      if (wanted?.timing.kind !== 'on') {
        await rows(em, 'delete from event_start_due where schedule_id = ?', [scheduleId]);
        return undefined;
      }
      const found = await rows<{ seq: string; event: WorkflowEvent | null; parts: number }>(
        em,
        `select seq, case when bytes <= ${PAYLOAD.eventBytes} then event end as event,
           ceil(characters / ${PAYLOAD.partCharacters}.0)::int as parts
         from (
           select d.seq, e.event, char_length(e.event::text) as characters, row_number() over o as n,
             sum(octet_length(e.event::text)) over o as bytes
           from event_start_due d join event_inbox e on e.seq = d.seq where d.schedule_id = ?
           window o as (order by d.seq) order by d.seq limit ${BATCH}) p
         where n = 1 or bytes <= ${PAYLOAD.eventBytes} order by seq`,
        [scheduleId],
      );
      if (found.length === 0) return undefined;
      const events = found.map(({ seq, ...one }) => ({ ...one, seq: Number(seq) }));
      return { digest: wanted.digest, on: wanted.timing.on, events };
    },

    /** A part of the JSON of an event that is too large to come along; empty when it is there no more. */
    async part(seq: number, at: number): Promise<string> {
      const [found] = await rows<{ text: string }>(
        em,
        'select substr(event::text, ?, ?) as text from event_inbox where seq = ?',
        [at * PAYLOAD.partCharacters + 1, PAYLOAD.partCharacters, seq],
      );
      return found?.text ?? '';
    },

    /** Schedules for which something has waited for so long: whoever was to look at it was lost. */
    async overdue(olderThanMs: number): Promise<string[]> {
      const found = await rows<{ schedule_id: string }>(
        em,
        `select distinct schedule_id from event_start_due where at < now() - make_interval(secs => ?) limit 1000`,
        [olderThanMs / 1000],
      );
      return found.map(({ schedule_id }) => schedule_id);
    },
  };
}
