import { defineEntity, p } from '@mikro-orm/postgresql';
import { type Permission, permissionsOf, type Role } from '../../domain/auth/permissions.ts';
import { AppError } from '../../domain/errors.ts';
import type { HostGrants } from '../../domain/system/hosts.ts';
import type { Candidate } from '../../domain/system/placement.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';

export const HostGrantEntity = defineEntity({
  name: 'HostGrant',
  tableName: 'host_grants',
  properties: {
    host: p.text().primary(),
    user_id: p.uuid().primary(),
  },
});

/** Whether a user may run code on some host though not on every one; `u` is the table of users. */
export const hasHostGrant = 'exists (select 1 from host_grants g where g.user_id = u.id) as has_host_grant';

interface Owner {
  role: Role;
  is_active: boolean;
  is_verified: boolean;
  granted_permissions: Permission[];
}

/** A candidate with how long ago it announced itself, by the database's clock. */
export type SeenCandidate = Candidate & { seen_ms_ago: number };

export type HostGrantRepository = ReturnType<typeof createHostGrantRepository>;

/** Who may run code on which host. */
export function createHostGrantRepository({ em }: Database) {
  return {
    /** @throws AppError `not_found` */
    get: (host: string): Promise<HostGrants> => grantsOf(em, host),

    /** Replaces them all. @throws AppError `not_found`; `invalid` for a user that there is not. */
    set: (host: string, { users }: HostGrants): Promise<HostGrants> =>
      em.fork().transactional(async (tx) => {
        await tx.execute('select 1 from hosts where name = ? for update', [host]);
        await grantsOf(tx, host);
        await tx.execute('delete from host_grants where host = ?', [host]);
        const known = await rows<{ user_id: string }>(
          tx,
          `insert into host_grants (host, user_id)
           select ?, u.id from users u where u.id in (select value::uuid from jsonb_array_elements_text(?::jsonb))
           returning user_id`,
          [host, json(users)],
        );
        const unknown = users.findIndex((id) => !known.some(({ user_id }) => user_id === id.toLowerCase()));
        if (unknown >= 0) {
          const message = `there is no user ${users[unknown]}`;
          throw new AppError('invalid', `The body has a problem: ${message}.`, {
            errors: [{ path: `/users/${unknown}`, message }],
          });
        }
        return grantsOf(tx, host);
      }),

    /** All hosts as the owner of a run may use them, now and not when the run began. */
    async candidates(runId: string): Promise<SeenCandidate[]> {
      const [owner] = await rows<Owner>(
        em,
        `select u.role, u.is_active, u.is_verified, u.granted_permissions
         from jobs j join users u on u.id = j.owner_id where j.id = ?`,
        [runId],
      );
      const counts = owner?.is_active === true && owner.is_verified;
      const everywhere = counts && permissionsOf(owner).has('neosyntis:workflows:execute_code');
      const found = await rows<Omit<SeenCandidate, 'generation'> & { generation: string }>(
        em,
        `select h.name, h.online, h.capabilities || h.labels as capabilities, h.sessions, h.generation,
           (extract(epoch from now() - h.last_seen) * 1000)::float8 as seen_ms_ago,
           ? and (? or exists (select 1 from host_grants g join jobs j on j.owner_id = g.user_id
             where g.host = h.name and j.id = ?)) as allowed
         from hosts h order by h.name`,
        [counts, everywhere, runId],
      );
      return found.map((host) => ({ ...host, generation: Number(host.generation) }));
    },
  };
}

async function grantsOf(sql: Sql, host: string): Promise<HostGrants> {
  const [found] = await rows<HostGrants>(
    sql,
    `select coalesce((select json_agg(user_id order by user_id) from host_grants where host = hosts.name), '[]') as users
     from hosts where name = ?`,
    [host],
  );
  if (!found) throw new AppError('not_found', `There is no host "${host}".`);
  return found;
}
