import { HOST_CREDENTIAL_PREFIX } from '../../domain/system/host-access.ts';
import type { Labels } from '../../domain/system/hosts.ts';
import { newSecret, sha256 } from '../auth/secrets.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';

/**
 * Gives a host its credential, making the host when there is none of that name. Whoever had the name before is
 * let in no more, and what it still says means nothing.
 * @param given a credential that somebody else made; without it a new one is made
 */
export async function setHostCredential(
  em: Sql,
  name: string,
  { labels, given }: { labels: Labels; given?: string },
): Promise<{ credential: string }> {
  const credential = given ?? `${HOST_CREDENTIAL_PREFIX}${newSecret(256)}`;
  await rows(
    em,
    `insert into hosts (name, online, last_seen, announced_at, capabilities, sessions, credential_hash, enrolled_at, labels)
     values (?, false, now(), 'epoch', '{}', 0, ?, now(), ?)
     on conflict (name) do update set credential_hash = excluded.credential_hash, enrolled_at = now(),
       labels = excluded.labels, online = false, sessions = 0, generation = hosts.generation + 1,
       lease_place = null, lease_machine = null, leased_until = null`,
    [name, sha256(credential), json(labels)],
  );
  return { credential };
}

export function createHostCredentials({ em }: Database) {
  return {
    /** The host that a credential belongs to, if it is one that counts. */
    async nameOf(credential: string): Promise<string | undefined> {
      const [host] = await rows<{ name: string }>(em, 'select name from hosts where credential_hash = ?', [
        sha256(credential),
      ]);
      return host?.name;
    },

    /** The host that is started together with the platform: whoever starts both made its credential. */
    async ensure(name: string, credential: string): Promise<void> {
      const [known] = await rows(em, 'select name from hosts where name = ? and credential_hash = ?', [
        name,
        sha256(credential),
      ]);
      if (!known) await setHostCredential(em, name, { labels: {}, given: credential });
    },
  };
}
