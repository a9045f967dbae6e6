import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import { SESSION_IDLE_DAYS } from '../../domain/auth/sessions.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { accountGone, unlessViolated } from './constraints.ts';
import { newSecret, sha256 } from './secrets.ts';

/** One login: the family of all the refresh tokens that came from it. */
export const SessionEntity = defineEntity({
  name: 'Session',
  tableName: 'sessions',
  properties: {
    id: p.uuid().primary(),
    user_id: p.uuid(),
    created_at: p.datetime(3),
    last_used_at: p.datetime(3),
    revoked_at: p.datetime(3).nullable(),
  },
});

/** Used ones are kept as long as their session, to tell reuse from nonsense. */
export const RefreshTokenEntity = defineEntity({
  name: 'RefreshToken',
  tableName: 'refresh_tokens',
  properties: {
    hash: p.blob().primary(),
    session_id: p.uuid(),
    used_at: p.datetime(3).nullable(),
  },
});

/** The condition under which a row of `sessions` still counts. */
export const liveSession = (alias: string): string =>
  `(${alias}.revoked_at is null and ${alias}.last_used_at > now() - interval '${SESSION_IDLE_DAYS} days')`;

export interface RefreshedSession {
  sessionId: string;
  userId: string;
  refreshToken: string;
}

export type Rotation =
  | ({ outcome: 'rotated' } & RefreshedSession)
  /** A used token came again: somebody copied it, so its session was ended. */
  | { outcome: 'reused' }
  | { outcome: 'unknown' };

export function createSessionRepository(database: Database) {
  const inTransaction = <T>(work: (em: Sql) => Promise<T>) => database.em.fork().transactional(work);
  return {
    start: (userId: string): Promise<RefreshedSession> =>
      unlessViolated('foreignKey', accountGone, () => inTransaction((em) => start(em, userId))),
    /** Of many who bring the same token at the same time, one gets the next. */
    rotate: (refreshToken: string): Promise<Rotation> => inTransaction((em) => rotate(em, refreshToken)),
    revoke: async (sessionId: string): Promise<void> => {
      await rows(database.em, 'update sessions set revoked_at = now() where id = ? and revoked_at is null', [
        sessionId,
      ]);
    },
    /** Ends the session that a refresh token belongs to, when it is this user's. */
    revokeByRefreshToken: async (userId: string, refreshToken: string): Promise<void> => {
      await rows(
        database.em,
        `update sessions set revoked_at = now() where revoked_at is null and user_id = ?
           and id = (select session_id from refresh_tokens where hash = ?)`,
        [userId, sha256(refreshToken)],
      );
    },
  };
}

/** Ends every session of a user. */
export async function revokeSessions(em: Sql, userId: string): Promise<void> {
  await rows(em, 'update sessions set revoked_at = now() where user_id = ? and revoked_at is null', [userId]);
}

async function start(em: Sql, userId: string): Promise<RefreshedSession> {
  const sessionId = uuidv7();
  await rows(em, 'insert into sessions (id, user_id, created_at, last_used_at) values (?, ?, now(), now())', [
    sessionId,
    userId,
  ]);
  return { sessionId, userId, refreshToken: await issue(em, sessionId) };
}

async function issue(em: Sql, sessionId: string): Promise<string> {
  const refreshToken = newSecret(256);
  await rows(em, 'insert into refresh_tokens (hash, session_id) values (?, ?)', [
    sha256(refreshToken),
    sessionId,
  ]);
  return refreshToken;
}

async function rotate(em: Sql, refreshToken: string): Promise<Rotation> {
  const hash = sha256(refreshToken);
  const [taken] = await rows<{ session_id: string }>(
    em,
    'update refresh_tokens set used_at = now() where hash = ? and used_at is null returning session_id',
    [hash],
  );
  if (!taken) return reuse(em, hash);
  const [session] = await rows<{ user_id: string }>(
    em,
    `update sessions s set last_used_at = now() from users u
       where s.id = ? and ${liveSession('s')} and u.id = s.user_id and u.is_active returning s.user_id`,
    [taken.session_id],
  );
  if (!session) return { outcome: 'unknown' };
  const sessionId = taken.session_id;
  return { outcome: 'rotated', sessionId, userId: session.user_id, refreshToken: await issue(em, sessionId) };
}

async function reuse(em: Sql, hash: Buffer): Promise<Rotation> {
  const ended = await rows(
    em,
    `update sessions set revoked_at = coalesce(revoked_at, now())
       where id = (select session_id from refresh_tokens where hash = ?) returning id`,
    [hash],
  );
  return { outcome: ended.length > 0 ? 'reused' : 'unknown' };
}
