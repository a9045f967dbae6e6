import { defineEntity, p } from '@mikro-orm/postgresql';
import { AppError } from '../../domain/errors.ts';
import type { Capabilities, Host, HostAnnouncement, Labels } from '../../domain/system/hosts.ts';
import type { Database } from '../orm.ts';
import { iso, json, LIST_LIMIT, rows } from '../sql.ts';

export const HostEntity = defineEntity({
  name: 'Host',
  tableName: 'hosts',
  properties: {
    name: p.text().primary(),
    online: p.boolean(),
    /** By the database's clock, the one clock that all processes share. */
    last_seen: p.datetime(3),
    /** By the host's clock; tells a new announcement from one that was processed already. */
    announced_at: p.datetime(3),
    capabilities: p.json().$type<Capabilities>(),
    sessions: p.integer(),
    /** Of its own credential; null for a host that has none and so cannot come in. */
    credential_hash: p.blob().nullable(),
    enrolled_at: p.datetime(3).nullable(),
    labels: p.json().$type<Labels>(),
    /** Of the lease on its name; see host-leases.ts. */
    generation: p.bigint('number').default(0),
    lease_place: p.text().nullable(),
    lease_machine: p.text().nullable(),
    leased_until: p.datetime(3).nullable(),
  },
});

export type SeenHost = Omit<Extract<HostAnnouncement, { status: 'online' }>, 'status'>;

export type HostRepository = ReturnType<typeof createHostRepository>;

const named = (found: { name: string }[]) => found.map(({ name }) => name);

export function createHostRepository(database: Database) {
  const { em } = database;
  return {
    /**
     * Notes that a host announced itself. The same announcement again (a retained one after a reconnect,
     * or another process's copy) changes nothing, so it cannot bring a dead host back; nor can one by an
     * earlier holder of the name, or by a host that was deleted.
     * @returns whether it came online by this.
     */
    async seen({ name, capabilities, sessions, at, generation }: SeenHost): Promise<boolean> {
      const [updated] = await rows<{ was_online: boolean }>(
        em,
        `update hosts set online = true, last_seen = now(), announced_at = ?, capabilities = ?, sessions = ?
         from (select name, online from hosts where name = ? for update) as before
         where hosts.name = before.name and hosts.announced_at <> ? and hosts.generation = ?
         returning before.online as was_online`,
        [at, json(capabilities), sessions, name, at, generation],
      );
      return updated !== undefined && !updated.was_online;
    },

    /**
     * Notes that a host said goodbye or was lost; an earlier holder of the name going is no news.
     * @returns whether it went offline by this.
     */
    async gone(name: string, generation: number): Promise<boolean> {
      const changed = await rows(
        em,
        'update hosts set online = false, sessions = 0 where name = ? and generation = ? and online returning name',
        [name, generation],
      );
      return changed.length > 0;
    },

    /** Those that are online first, each group by name. */
    list: (): Promise<Host[]> =>
      rows(
        em,
        `select name, case when online then 'online' else 'offline' end as status, ${iso('last_seen')},
           capabilities || labels as capabilities, sessions, labels, ${iso('enrolled_at')}
         from hosts order by online desc, name limit ${LIST_LIMIT}`,
      ),

    /** Marks those offline that were not seen for so long; gives their names. */
    expire: async (olderThanMs: number): Promise<string[]> =>
      named(
        await rows(
          em,
          `update hosts set online = false, sessions = 0
           where online and last_seen < now() - ? * interval '1 millisecond' returning name`,
          [olderThanMs],
        ),
      ),

    /**
     * Forgets a host with its credential and its grants: it is not let in any more.
     * @throws AppError `not_found`
     */
    async remove(name: string): Promise<void> {
      const removed = await rows(em, 'delete from hosts where name = ? returning name', [name]);
      if (removed.length === 0) throw new AppError('not_found', `There is no host "${name}".`);
    },
  };
}
