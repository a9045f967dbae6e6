import { LRUCache } from 'lru-cache';
import type { Config } from '../../config.ts';
import { type Account, createAccountReader, type TokenAccount } from '../../db/auth/accounts.ts';
import { isSecret, parseApiToken } from '../../db/auth/api-tokens.ts';
import { createTicketRepository } from '../../db/auth/ws-tickets.ts';
import type { Database } from '../../db/orm.ts';
import { type Permission, permissionsOf } from '../../domain/auth/permissions.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { Keys } from '../../keys.ts';
import type { Authenticator } from '../http/router.ts';
import { type AccessTokens, createAccessTokens } from './access-tokens.ts';

/** How old what a request is decided by may be; a revocation on another replica bites after this at the latest. */
const CACHE_MS = 500;

export interface AccountAuthenticator extends Authenticator {
  readonly accessTokens: AccessTokens;
  /**
   * Who asked for a WebSocket ticket, which is used up by this.
   * @throws AppError `unauthenticated` when it is not good (any more).
   */
  consumeTicket(ticket: string): Promise<Principal>;
  /** Whether a connection that was opened for this principal may stay: it still has all that it had. */
  isValid(principal: Principal): Promise<boolean>;
  /** Makes this process look at the database again; called after everything that takes something away. */
  forget(): void;
}

export function createAuthenticator(deps: {
  database: Database;
  keys: Pick<Keys, 'jwt'>;
  config: Pick<Config, 'ACCESS_TOKEN_EXPIRE_MINUTES'>;
}): AccountAuthenticator {
  const accounts = createAccountReader(deps.database);
  const tickets = createTicketRepository(deps.database);
  const accessTokens = createAccessTokens(deps.keys.jwt, deps.config.ACCESS_TOKEN_EXPIRE_MINUTES);
  const sessions = cached(accounts.bySession);
  const apiTokens = cached(accounts.byApiToken);

  async function byAccessToken(token: string): Promise<Principal> {
    const claims = await accessTokens.read(token);
    const account = await sessions.get(claims.sessionId);
    if (!account || account.id !== claims.userId || account.token_epoch !== claims.epoch)
      throw new AppError('unauthenticated', 'The access token was revoked; refresh it or log in again.');
    return sessionPrincipal(account, claims.sessionId);
  }

  async function byApiToken(token: string): Promise<Principal> {
    const parsed = parseApiToken(token);
    const account = parsed && (await apiTokens.get(parsed.id));
    if (!account || !isSecret(parsed.secret, account.hash) || hasExpired(account))
      throw new AppError('unauthenticated', 'The API token is unknown, was deleted or has expired.');
    if (account.is_stale) {
      account.is_stale = false;
      await accounts.noteUse(parsed.id);
    }
    return tokenPrincipal(account, parsed.id);
  }

  async function byCredential(credential: Principal['credential']): Promise<Principal | undefined> {
    if (credential.kind === 'session') {
      const account = await sessions.get(credential.sessionId);
      return account && sessionPrincipal(account, credential.sessionId);
    }
    const account = await apiTokens.get(credential.tokenId);
    return account && !hasExpired(account) ? tokenPrincipal(account, credential.tokenId) : undefined;
  }

  return {
    accessTokens,
    authenticate: async (authorization) => {
      const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
      if (!token) throw new AppError('unauthenticated', 'Authorization must read: Bearer <token>.');
      return token.startsWith('vrn_') ? byApiToken(token) : byAccessToken(token);
    },
    consumeTicket: async (ticket) => {
      const credential = await tickets.take(ticket);
      const principal = credential && (await byCredential(credential));
      if (principal) return principal;
      throw new AppError('unauthenticated', 'The ticket is unknown, was used already or is too old.');
    },
    isValid: async (principal) => {
      const now = await byCredential(principal.credential);
      if (!now || (principal.isAdmin && !now.isAdmin)) return false;
      return [...principal.permissions].every((permission) => now.permissions.has(permission));
    },
    forget: () => {
      sessions.clear();
      apiTokens.clear();
    },
  };
}

/**
 * Keeps the promise and counts its age from the start of the read, so that an answer that was on its way while
 * something was revoked is never kept after `clear`.
 */
function cached<Row>(read: (id: string) => Promise<Row | undefined>) {
  const cache = new LRUCache<string, Promise<Row | undefined>>({ max: 10_000, ttl: CACHE_MS });
  return {
    get(id: string): Promise<Row | undefined> {
      const known = cache.get(id);
      if (known) return known;
      const reading = read(id);
      cache.set(id, reading);
      // Who awaits it sees the error; others shall not be answered with it.
      reading.catch(() => cache.peek(id) === reading && cache.delete(id));
      return reading;
    },
    clear: () => cache.clear(),
  };
}

const hasExpired = ({ expires_ms }: TokenAccount): boolean => expires_ms !== null && expires_ms <= Date.now();

const sessionPrincipal = (account: Account, sessionId: string): Principal =>
  principal(account, permissionsOf(account), { kind: 'session', sessionId });

function tokenPrincipal(account: TokenAccount, tokenId: string): Principal {
  const owners = permissionsOf(account);
  const permissions = new Set(account.permissions.filter((permission) => owners.has(permission)));
  return principal(account, permissions, { kind: 'api_token', tokenId });
}

const principal = (
  account: Account,
  permissions: ReadonlySet<Permission>,
  credential: Principal['credential'],
): Principal => ({
  userId: account.id,
  username: account.username,
  role: account.role,
  isAdmin: account.role === 'admin' && account.is_verified,
  permissions,
  credential,
});
