import type { Permission } from '../../domain/auth/permissions.ts';
import type { User } from '../../domain/auth/users.ts';
import type { Database, Sql } from '../orm.ts';
import { prepared, rows } from '../sql.ts';
import { hasHostGrant } from '../system/host-grants.ts';
import { liveSession } from './sessions.ts';

/** Who stands behind a credential now. */
export interface Account
  extends Pick<User, 'id' | 'username' | 'role' | 'is_verified' | 'granted_permissions'> {
  token_epoch: number;
  has_host_grant: boolean;
}

export interface TokenAccount extends Account {
  hash: Buffer;
  permissions: Permission[];
  expires_ms: number | null;
  /** Its last use was noted more than a minute ago. */
  is_stale: boolean;
}

const columns = `u.id, u.username, u.role, u.is_verified, u.granted_permissions, u.token_epoch, ${hasHostGrant}`;

/** Reads that every request makes; undefined when the credential or its owner does not count any more. */
export function createAccountReader(database: Database) {
  return {
    bySession: async (sessionId: string): Promise<Account | undefined> =>
      (
        await prepared<Account>(
          database.em,
          `select ${columns} from sessions s join users u on u.id = s.user_id
             where s.id = ? and ${liveSession('s')} and u.is_active`,
          [sessionId],
        )
      )[0],
    byApiToken: async (tokenId: string): Promise<TokenAccount | undefined> =>
      (
        await prepared<TokenAccount>(
          database.em,
          `select ${columns}, t.hash, t.permissions, (extract(epoch from t.expires_at) * 1000)::float8 as expires_ms,
             t.last_used_at is null or t.last_used_at < now() - interval '1 minute' as is_stale
           from api_tokens t join users u on u.id = t.user_id
           where t.id = ? and (t.expires_at is null or t.expires_at > now()) and u.is_active`,
          [tokenId],
        )
      )[0],
    /** Of somebody in whose name the platform itself does something. */
    byUser: async (userId: string, sql: Sql = database.em): Promise<Account | undefined> =>
      (
        await rows<Account>(sql, `select ${columns} from users u where u.id = ? and u.is_active`, [userId])
      )[0],
    noteUse: async (tokenId: string): Promise<void> => {
      await rows(
        database.em,
        `update api_tokens set last_used_at = now()
           where id = ? and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
        [tokenId],
      );
    },
  };
}
