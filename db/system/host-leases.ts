import { AppError } from '../../domain/errors.ts';
import {
  LEASE_SECONDS,
  type Lease,
  type LeaseKeep,
  type LeaseRequest,
} from '../../domain/system/host-access.ts';
import type { Database } from '../orm.ts';
import { iso, rows } from '../sql.ts';

const until = `now() + interval '${LEASE_SECONDS} seconds'`;

interface Holder {
  machine: string | null;
  until: string | null;
}

export type HostLeases = ReturnType<typeof createHostLeases>;

/** One holder a host's name. Each new holder has a higher generation, by which all can tell it from the last. */
export function createHostLeases({ em }: Database) {
  const holder = async (name: string): Promise<Holder | undefined> =>
    (
      await rows<Holder>(
        em,
        `select lease_machine as machine, ${iso('leased_until', 'until')} from hosts where name = ?`,
        [name],
      )
    )[0];

  return {
    /**
     * Takes the name. The same place may do so at any time: the kernel says that what held it there has ended.
     * @throws AppError `conflict` while a holder at another place is heard of.
     */
    async take(name: string, { place, machine }: LeaseRequest): Promise<Lease> {
      const [lease] = await rows<{ generation: string }>(
        em,
        `update hosts set generation = generation + 1, lease_place = ?, lease_machine = ?, leased_until = ${until}
         where name = ? and (leased_until is null or leased_until < now() or lease_place = ?)
         returning generation`,
        [place, machine, name, place],
      );
      if (lease) return { generation: Number(lease.generation), is_known: false };
      throw new AppError(
        'conflict',
        `The host "${name}" runs elsewhere already, on ${(await holder(name))?.machine ?? 'another machine'}: stop it there, or enrol this machine under a name of its own.`,
      );
    },

    /**
     * Says that the holder is still there, or that it goes.
     * @throws AppError `conflict` when the name has another holder by now.
     */
    async keep(name: string, { generation, release }: LeaseKeep): Promise<Lease> {
      const [kept] = await rows<{ is_known: boolean }>(
        em,
        `update hosts h set leased_until = ${release ? 'null' : until} where name = ? and generation = ?
         returning h.online and exists (select 1 from system_metrics m
           where m.host = h.name and m.generation = h.generation) as is_known`,
        [name, generation],
      );
      if (kept) return { generation, ...kept };
      throw new AppError(
        'conflict',
        `The host "${name}" has another holder by now, on ${(await holder(name))?.machine ?? 'another machine'}.`,
      );
    },
  };
}
