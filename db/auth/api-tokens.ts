import { timingSafeEqual } from 'node:crypto';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import type { ApiToken } from '../../domain/auth/api-tokens.ts';
import type { Permission } from '../../domain/auth/permissions.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { Database } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { iso, json, type Page, pageClause, rows } from '../sql.ts';
import { accountGone, unlessViolated } from './constraints.ts';
import { newSecret, sha256 } from './secrets.ts';

export const ApiTokenEntity = defineEntity({
  name: 'ApiToken',
  tableName: 'api_tokens',
  properties: {
    id: p.uuid().primary(),
    user_id: p.uuid(),
    name: p.text(),
    permissions: p.json().$type<Permission[]>(),
    hash: p.blob(),
    expires_at: p.datetime(3).nullable(),
    created_at: p.datetime(3),
    last_used_at: p.datetime(3).nullable(),
  },
});

const columns = `id, user_id, name, permissions, ${iso('expires_at')}, ${iso('created_at')}, ${iso('last_used_at')}`;

export interface NewApiTokenRow {
  name: string;
  permissions: Permission[];
  expiresAt: Date | null;
}

export function createApiTokenRepository(database: Database) {
  return {
    /** The tokens of one user; to others than them and administrators there are none. */
    list: (user: Principal, userId: string, page: Page): Promise<ApiToken[]> => {
      const owned = ownedBy(user, 'user_id');
      const { where, params, tail } = pageClause(page);
      return rows(
        database.em,
        `select ${columns} from api_tokens where user_id = ? and ${owned.where} ${where} ${tail}`,
        [userId, ...owned.params, ...params],
      );
    },
    get: async (user: Principal, id: string): Promise<ApiToken> => {
      const owned = ownedBy(user, 'user_id');
      const [token] = await rows<ApiToken>(
        database.em,
        `select ${columns} from api_tokens where id = ? and ${owned.where}`,
        [id, ...owned.params],
      );
      if (!token) throw missing(id);
      return token;
    },
    /** The only time that the secret is known. */
    create: async (userId: string, token: NewApiTokenRow): Promise<ApiToken & { token: string }> => {
      const id = uuidv7();
      const secret = newSecret(256);
      const [row] = await unlessViolated('foreignKey', accountGone, () =>
        rows<ApiToken>(
          database.em,
          `insert into api_tokens (id, user_id, name, permissions, hash, expires_at, created_at)
         values (?, ?, ?, ?::jsonb, ?, ?, now()) returning ${columns}`,
          [
            id,
            userId,
            token.name,
            json(token.permissions),
            sha256(secret),
            token.expiresAt?.toISOString() ?? null,
          ],
        ),
      );
      if (!row) throw new Error('insert gave no row back');
      return { ...row, token: `vrn_${id.replaceAll('-', '')}_${secret}` };
    },
    remove: async (user: Principal, id: string): Promise<void> => {
      const owned = ownedBy(user, 'user_id');
      const gone = await rows(
        database.em,
        `delete from api_tokens where id = ? and ${owned.where} returning id`,
        [id, ...owned.params],
      );
      if (gone.length === 0) throw missing(id);
    },
  };
}

const missing = (id: string) => new AppError('not_found', `There is no API token ${id}.`);

/** The parts of `vrn_<id>_<secret>`, or undefined for anything else. */
export function parseApiToken(text: string): { id: string; secret: string } | undefined {
  const [, hex, secret] = /^vrn_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$/.exec(text) ?? [];
  if (!hex || !secret) return undefined;
  return { id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'), secret };
}

export const isSecret = (secret: string, hash: Buffer): boolean => timingSafeEqual(sha256(secret), hash);
