import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import type { Grant, Role } from '../../domain/auth/permissions.ts';
import type { User } from '../../domain/auth/users.ts';
import { AppError } from '../../domain/errors.ts';
import type { Database, Sql } from '../orm.ts';
import { iso, type Page, pageClause, rows } from '../sql.ts';
import { unlessViolated } from './constraints.ts';
import { voidEmailTokens } from './email-tokens.ts';
import { keepAnAdministrator } from './last-administrator.ts';
import { revokeSessions } from './sessions.ts';

export const UserEntity = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: {
    id: p.uuid().primary(),
    username: p.text(),
    email: p.text(),
    password_hash: p.text(),
    role: p.text().$type<Role>(),
    is_active: p.boolean(),
    is_verified: p.boolean(),
    granted_permissions: p.json().$type<Grant[]>(),
    token_epoch: p.integer().default(0),
    created_at: p.datetime(3),
  },
});

const columns = `id, username, email, role, is_active, is_verified, granted_permissions, ${iso('created_at')}`;

/** What belongs to users in other modules; asked and moved in the transaction that deletes the owner. */
export interface Ownership {
  ownedBy(em: Sql, userId: string): Promise<number>;
  reassign(em: Sql, fromUserId: string, toUserId: string): Promise<void>;
}

export type UserChanges = Partial<Omit<User, 'id' | 'created_at'>>;

export interface ChangeOptions {
  /** Sees the user as it is, locked, and says what becomes of it; may throw. */
  decide(current: User): UserChanges;
  /** Runs in the same transaction when there is a new e-mail address that nobody has verified. */
  onNewEmail(em: Sql, user: User): Promise<void>;
}

export function createUserRepository(database: Database) {
  return {
    list: (page: Page): Promise<User[]> => {
      const { where, params, tail } = pageClause(page);
      return rows(database.em, `select ${columns} from users where true ${where} ${tail}`, params);
    },
    get: async (id: string): Promise<User> => found(await rows(database.em, byId, [id]), id),
    findByEmail: async (email: string): Promise<User | undefined> =>
      (
        await rows<User>(database.em, `select ${columns} from users where lower(email) = lower(?)`, [email])
      )[0],
    findForLogin: async (username: string): Promise<(User & { password_hash: string }) | undefined> =>
      (
        await rows<User & { password_hash: string }>(
          database.em,
          `select ${columns}, password_hash from users where lower(username) = lower(?)`,
          [username],
        )
      )[0],
    /** Changes one user; a new role, grant or deactivation ends the access tokens it had. */
    change: (id: string, options: ChangeOptions): Promise<User> =>
      database.em.fork().transactional((em) => change(em, id, options)),
    remove: (id: string, reassignTo: string | undefined, ownership: Ownership): Promise<void> =>
      database.em.fork().transactional((em) => remove(em, id, reassignTo, ownership)),
  };
}

const byId = `select ${columns} from users where id = ?`;

/** @throws AppError `conflict` when the name or address is taken. */
export async function insertUser(
  em: Sql,
  user: Pick<User, 'username' | 'email' | 'role' | 'is_verified'> & { passwordHash: string },
): Promise<User> {
  const id = uuidv7();
  await unlessTaken(() =>
    rows(
      em,
      `insert into users (id, username, email, password_hash, role, is_active, is_verified, granted_permissions, created_at)
       values (?, ?, ?, ?, ?, true, ?, '[]', now())`,
      [id, user.username, user.email, user.passwordHash, user.role, user.is_verified],
    ),
  );
  return found(await rows(em, byId, [id]), id);
}

/** Sets a password and ends every session: whoever knew the old one has to log in again. */
export async function setPassword(em: Sql, userId: string, passwordHash: string): Promise<void> {
  await rows(em, 'update users set password_hash = ?, token_epoch = token_epoch + 1 where id = ?', [
    passwordHash,
    userId,
  ]);
  await revokeSessions(em, userId);
  await voidEmailTokens(em, userId, ['reset']);
}

async function change(em: Sql, id: string, { decide, onNewEmail }: ChangeOptions): Promise<User> {
  const before = found<User>(await rows(em, `${byId} for update`, [id]), id);
  const changes = decide(before);
  const hasNewEmail = changes.email !== undefined && changes.email !== before.email;
  const after: User = { ...before, ...(hasNewEmail ? { is_verified: false } : {}), ...changes };
  await keepAnAdministrator(em, before, after);
  await unlessTaken(() =>
    rows(
      em,
      `update users set username = ?, email = ?, role = ?, is_active = ?, is_verified = ?,
         granted_permissions = ?::jsonb, token_epoch = token_epoch + ? where id = ?`,
      [
        after.username,
        after.email,
        after.role,
        after.is_active,
        after.is_verified,
        JSON.stringify(after.granted_permissions),
        endsTokens(before, after) ? 1 : 0,
        id,
      ],
    ),
  );
  if (!after.is_active) await revokeSessions(em, id);
  if (hasNewEmail) await voidEmailTokens(em, id, ['verify', 'reset']);
  if (hasNewEmail && !after.is_verified) await onNewEmail(em, after);
  return after;
}

const endsTokens = (before: User, after: User): boolean =>
  before.role !== after.role ||
  before.is_active !== after.is_active ||
  JSON.stringify(before.granted_permissions) !== JSON.stringify(after.granted_permissions);

async function remove(
  em: Sql,
  id: string,
  reassignTo: string | undefined,
  ownership: Ownership,
): Promise<void> {
  const user = found<User>(await rows(em, `${byId} for update`, [id]), id);
  await keepAnAdministrator(em, user, undefined);
  if (reassignTo) {
    const [heir] = await rows<User>(em, `${byId} and is_active for share`, [reassignTo]);
    if (!heir || heir.id === id) {
      const message = `reassign_to must be another active user; ${reassignTo} is not`;
      throw new AppError('invalid', message, { errors: [{ path: '/reassign_to', message }] });
    }
    await ownership.reassign(em, id, reassignTo);
  }
  const owned = await ownership.ownedBy(em, id);
  if (owned > 0)
    throw new AppError(
      'conflict',
      `${user.username} owns ${owned} ${owned === 1 ? 'thing' : 'things'}; name who gets them with ?reassign_to=<user id>.`,
    );
  await rows(em, 'delete from users where id = ?', [id]);
}

function found<Row>(list: Row[], id: string): Row {
  const [row] = list;
  if (!row) throw new AppError('not_found', `There is no user ${id}.`);
  return row;
}

const unlessTaken = (write: () => Promise<unknown>) =>
  unlessViolated(
    'unique',
    { code: 'conflict', message: 'This user name or e-mail address is taken.' },
    write,
  );
