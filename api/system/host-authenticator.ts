import { LRUCache } from 'lru-cache';
import type { Database } from '../../db/orm.ts';
import { createHostCredentials } from '../../db/system/host-credentials.ts';
import { HOST_CREDENTIAL_PREFIX } from '../../domain/system/host-access.ts';

/** A revocation on another replica bites after this at the latest. */
const CACHE_MS = 500;

export interface HostAuthenticator {
  /** The name of the host that this credential belongs to; undefined when there is none (any more). */
  authenticateHost(credential: string): Promise<string | undefined>;
  /** Makes this process look at the database again; called after everything that takes a credential away. */
  forget(): void;
}

/** Hosts have credentials of their own, which are of no use on users' routes, as users' are of none on theirs. */
export function createHostAuthenticator(database: Database): HostAuthenticator {
  const credentials = createHostCredentials(database);
  const cache = new LRUCache<string, Promise<string | undefined>>({ max: 1_000, ttl: CACHE_MS });
  return {
    async authenticateHost(credential) {
      if (!credential.startsWith(HOST_CREDENTIAL_PREFIX)) return undefined;
      const known = cache.get(credential);
      if (known) return known;
      const reading = credentials.nameOf(credential);
      cache.set(credential, reading);
      reading.catch(() => cache.delete(credential));
      return reading;
    },
    forget: () => cache.clear(),
  };
}
