import { defineEntity, p } from '@mikro-orm/postgresql';
import { AppError } from '../../domain/errors.ts';
import type { Capabilities, Host, HostAnnouncement } from '../../domain/system/hosts.ts';
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
     * or another process's copy) changes nothing, so it cannot bring a dead host back.
     * @returns whether it came online by this.
     */
    async seen({ name, capabilities, sessions, at }: SeenHost): Promise<boolean> {
      const [updated] = await rows<{ was_online: boolean }>(
        em,
        `update hosts set online = true, last_seen = now(), announced_at = ?, capabilities = ?, sessions = ?
         from (select name, online from hosts where name = ? for update) as before
         where hosts.name = before.name and hosts.announced_at <> ?
         returning before.online as was_online`,
        [at, json(capabilities), sessions, name, at],
      );
      if (updated) return !updated.was_online;
      const inserted = await rows(
        em,
        `insert into hosts (name, online, last_seen, announced_at, capabilities, sessions)
         values (?, true, now(), ?, ?, ?) on conflict (name) do nothing returning name`,
        [name, at, json(capabilities), sessions],
      );
      return inserted.length > 0;
    },

    /**
     * Notes that a host said goodbye or was lost.
     * @returns whether it went offline by this.
     */
    async gone(name: string): Promise<boolean> {
      const changed = await rows(
        em,
        'update hosts set online = false, sessions = 0 where name = ? and online returning name',
        [name],
      );
      return changed.length > 0;
    },

    /** Those that are online first, each group by name. */
    list: (): Promise<Host[]> =>
      rows(
        em,
        `select name, case when online then 'online' else 'offline' end as status, ${iso('last_seen')},
           capabilities, sessions
         from hosts order by online desc, name limit ${LIST_LIMIT}`,
      ),

    /** Names of those that are online. */
    online: async (): Promise<string[]> =>
      named(await rows(em, 'select name from hosts where online order by name')),

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
     * Forgets a host; one that announces itself later is there again.
     * @throws AppError `not_found`; `conflict` while it is online.
     */
    async remove(name: string): Promise<void> {
      const removed = await rows(em, 'delete from hosts where name = ? and not online returning name', [
        name,
      ]);
      if (removed.length > 0) return;
      const [host] = await rows(em, 'select name from hosts where name = ?', [name]);
      if (!host) throw new AppError('not_found', `There is no host "${name}".`);
      throw new AppError('conflict', `The host "${name}" is online; stop its worker first.`);
    },
  };
}
