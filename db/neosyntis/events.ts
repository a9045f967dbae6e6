import { defineEntity, p } from '@mikro-orm/postgresql';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { WorkflowEvent } from '../../domain/neosyntis/cloud-event.ts';
import type { DeliveredEvent } from '../../domain/neosyntis/events.ts';
import { isEnded, type RunStatus } from '../../domain/neosyntis/runs.ts';
import type { Database } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { json, rows } from '../sql.ts';

export const InboxEventEntity = defineEntity({
  name: 'InboxEvent',
  tableName: 'event_inbox',
  properties: {
    seq: p.bigint('number').primary(),
    owner_id: p.uuid(),
    source: p.text(),
    id: p.text(),
    type: p.text(),
    /** The run that it was posted to; null when it is for whoever listens. */
    run_id: p.uuid().nullable(),
    event: p.json().$type<WorkflowEvent>().columnType('json'),
    received_at: p.datetime(3).defaultRaw('now()'),
    /** How many runs, one after the other, were begun by events before a run made this one. */
    chain: p.integer().default(0),
  },
});

export const EventDeliveryEntity = defineEntity({
  name: 'EventDelivery',
  tableName: 'event_deliveries',
  properties: {
    run_id: p.uuid().primary(),
    seq: p.bigint('number').primary().autoincrement(false),
    is_direct: p.boolean(),
    at: p.datetime(3).defaultRaw('now()'),
  },
});

/** What became of an event: the runs that it is to be delivered to, none when it was known already. */
export interface Received {
  isNew: boolean;
  runs: string[];
  /** Schedules of workflows that it may begin a run of. */
  schedules: string[];
}

/** One signal carries at most this. */
const BATCH = { events: 100, bytes: 512 * 1024 };

const ENDED = "('completed', 'failed', 'cancelled')";

export type EventStore = ReturnType<typeof createEventStore>;

/** How many runs were begun by events, one after the other, up to a run; that of its parents is its own, too. */
export const chainOf = `(with recursive up as (
    select trigger, parent_run_id from runs where id = ?::uuid
    union all select r.trigger, r.parent_run_id from runs r join up on r.id = up.parent_run_id)
  select coalesce(max((trigger->>'chain')::int), 0) from up)`;

/** Events for runs. Each is a row before anything else happens; what is to be signalled is one, too, until it was. */
export function createEventStore({ em }: Database) {
  /** @param owner an expression for whose it is, with one parameter; null of it is nobody, and nothing is written. */
  async function broadcast(
    owner: string,
    param: string,
    event: WorkflowEvent,
    runId?: string,
  ): Promise<Received> {
    const [made] = await rows<{ is_new: boolean; runs: string[]; schedules: string[] }>(
      em,
      `with event as (
         insert into event_inbox (owner_id, source, id, type, event, chain)
         select o.id, ?, ?, ?, ?::json, ${runId === undefined ? '0' : chainOf} from (select ${owner} as id) o where o.id is not null
         on conflict do nothing returning seq, owner_id, type
       ), deliveries as (
         insert into event_deliveries (run_id, seq, is_direct)
         select distinct s.run_id, e.seq, false
         from event e join event_subscriptions s on s.owner_id = e.owner_id join jobs j on j.id = s.run_id
         where (s.types is null or e.type = any(s.types)) and j.status not in ${ENDED}
         returning run_id
       ), due as (
         insert into event_start_due (schedule_id, seq)
         select s.schedule_id, e.seq
         from event e join event_starts s on s.owner_id = e.owner_id join schedules c on c.id = s.schedule_id
         where (s.types is null or e.type = any(s.types)) and not c.paused and not c.removed
         returning schedule_id
       )
       select exists (select from event) as is_new, array(select run_id::text from deliveries) as runs,
         array(select schedule_id from due) as schedules`,
      [event.source, event.id, event.type, json(event), ...(runId === undefined ? [] : [runId]), param],
    );
    return { isNew: made?.is_new === true, runs: made?.runs ?? [], schedules: made?.schedules ?? [] };
  }

  return {
    /** An event of a user for those of their runs that listen. */
    post: (user: Principal, event: WorkflowEvent) => broadcast('?::uuid', user.userId, event),

    /** An event of a run for the runs of its owner that listen. */
    emit: (runId: string, event: WorkflowEvent) =>
      broadcast('(select owner_id from jobs where id = ?::uuid)', runId, event, runId),

    /**
     * An event for one run, whether it listens or not.
     * @throws AppError `not_found`; `conflict` when it has ended.
     */
    async postTo(user: Principal, runId: string, event: WorkflowEvent): Promise<Received> {
      const owned = ownedBy(user, 'j.owner_id');
      const [made] = await rows<{ status: RunStatus; is_new: boolean }>(
        em,
        `with run as (
           select j.id, j.owner_id, j.status from jobs j join runs r on r.id = j.id where j.id = ? and ${owned.where}
           for share of j
         ), event as (
           insert into event_inbox (owner_id, source, id, type, run_id, event)
           select owner_id, ?, ?, ?, id, ?::json from run where status not in ${ENDED}
           on conflict do nothing returning seq, run_id
         ), deliveries as (
           insert into event_deliveries (run_id, seq, is_direct) select run_id, seq, true from event returning run_id
         )
         select status, exists (select from deliveries) as is_new from run`,
        [runId, ...owned.params, event.source, event.id, event.type, json(event)],
      );
      if (!made) throw new AppError('not_found', `There is no run ${runId}.`);
      if (isEnded(made.status))
        throw new AppError('conflict', `Run ${runId} is ${made.status}: it takes no events any more.`);
      return { isNew: made.is_new, runs: made.is_new ? [runId] : [], schedules: [] };
    },

    /** The oldest events that a run has not been sent, as many as one signal carries. */
    async pending(runId: string): Promise<DeliveredEvent[]> {
      const found = await rows<{ seq: string; direct: boolean; event: WorkflowEvent }>(
        em,
        `select seq, direct, event from (
           select d.seq, d.is_direct as direct, e.event, row_number() over o as n,
             sum(octet_length(e.event::text)) over o as bytes
           from event_deliveries d join event_inbox e on e.seq = d.seq where d.run_id = ?
           window o as (order by d.seq) order by d.seq limit ${BATCH.events}) p
         where n = 1 or bytes <= ${BATCH.bytes} order by seq`,
        [runId],
      );
      return found.map((row) => ({ ...row, seq: Number(row.seq) }));
    },

    async delivered(runId: string, seqs: number[]): Promise<void> {
      await rows(em, 'delete from event_deliveries where run_id = ? and seq = any(?::bigint[])', [
        runId,
        `{${seqs}}`,
      ]);
    },

    /** Runs to which something is due for so long, whose signals were lost. */
    async overdue(olderThanMs: number): Promise<string[]> {
      const found = await rows<{ run_id: string }>(
        em,
        `select distinct run_id from event_deliveries where at < now() - make_interval(secs => ?) limit 1000`,
        [olderThanMs / 1000],
      );
      return found.map(({ run_id }) => run_id);
    },

    /** Forgets what is due to runs that have ended, and that they listen. */
    async forgetEnded(): Promise<void> {
      for (const table of ['event_deliveries', 'event_subscriptions'])
        await rows(em, `delete from ${table} t using jobs j where j.id = t.run_id and j.status in ${ENDED}`);
    },
  };
}
