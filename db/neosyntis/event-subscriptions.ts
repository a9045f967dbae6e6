import { defineEntity, p } from '@mikro-orm/postgresql';
import type { Listening } from '../../domain/neosyntis/events.ts';
import type { Database } from '../orm.ts';
import { json, rows } from '../sql.ts';

export const EventSubscriptionEntity = defineEntity({
  name: 'EventSubscription',
  tableName: 'event_subscriptions',
  properties: {
    run_id: p.uuid().primary(),
    path: p.text().primary(),
    iteration: p.array().$type<number[]>().columnType('integer[]').primary(),
    owner_id: p.uuid(),
    types: p.array().$type<string[]>().columnType('text[]').nullable(),
    lifecycle: p.array().$type<string[]>().columnType('text[]').defaultRaw("'{}'"),
  },
});

/** Which runs listen, and to what types of events: the rows that events are held against as they come. */
export function createEventSubscriptions({ em }: Database) {
  return {
    /** From now on events reach the run. Once more changes nothing. */
    async add(runId: string, { path, iteration, types, lifecycle }: Listening): Promise<void> {
      await rows(
        em,
        `insert into event_subscriptions (run_id, path, iteration, owner_id, types, lifecycle)
         select j.id, ?, ?::int[], j.owner_id, case when ?::boolean then array(select json_array_elements_text(?::json)) end, array(select json_array_elements_text(?::json))
         from jobs j where j.id = ? and j.owner_id is not null
         on conflict (run_id, path, iteration) do nothing`,
        [path, `{${iteration}}`, types !== null, json(types ?? []), json(lifecycle), runId],
      );
    },

    async remove(runId: string, { path, iteration }: Pick<Listening, 'path' | 'iteration'>): Promise<void> {
      await rows(
        em,
        'delete from event_subscriptions where run_id = ? and path = ? and iteration = ?::int[]',
        [runId, path, `{${iteration}}`],
      );
    },
  };
}

export type EventSubscriptions = ReturnType<typeof createEventSubscriptions>;
