import type { Database } from '../../db/orm.ts';
import { appendEvents } from '../../db/system/events.ts';
import type { HostRepository } from '../../db/system/hosts.ts';
import type { StoredEvent } from '../../domain/events.ts';
import { topics } from '../../domain/names.ts';
import type { Bus } from '../../drivers/bus/port.ts';
import type { HostAuthenticator } from './host-authenticator.ts';

export interface HostRemovalDeps {
  database: Database;
  hosts: Pick<HostRepository, 'remove'>;
  bus: Pick<Bus, 'forget'>;
  publish(events: readonly StoredEvent[]): void;
  authenticator: Pick<HostAuthenticator, 'forget'>;
}

/** Deletes a host: its credential is refused from now on, its last words go, and those who watch are told. */
export const createHostRemoval =
  ({ database, hosts, bus, publish, authenticator }: HostRemovalDeps) =>
  async (name: string): Promise<void> => {
    await hosts.remove(name);
    authenticator.forget();
    bus.forget(topics.hostStatus(name));
    const data = { name, status: 'offline' };
    publish(
      await database.em
        .fork()
        .transactional((tx) =>
          appendEvents(tx, [
            { topic: 'hosts', type: 'host.deleted', source: '/hosts', subject: name, ownerId: null, data },
          ]),
        ),
    );
  };
