import { insertUser } from '../../db/auth/users.ts';
import type { Database } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';
import { hashPassword, requireGoodPassword } from './passwords.ts';

const administrator = { username: 'admin', email: 'admin@localhost' } as const;

/**
 * Makes the first administrator in a database without users; of many processes that try, one does.
 * @returns true when it was made now.
 * @throws AppError `invalid` when it is to be made and the password is a bad one.
 */
export async function seedAdministrator(database: Database, password: string): Promise<boolean> {
  if (await hasUsers(database)) return false;
  await requireGoodPassword(password, administrator, '/VAREON_ADMIN_PASSWORD');
  const passwordHash = await hashPassword(password);
  return database.em.fork().transactional(async (em) => {
    await rows(em, 'lock table users in share row exclusive mode');
    if (await hasUsers({ em })) return false;
    await insertUser(em, { ...administrator, passwordHash, role: 'admin', is_verified: true });
    return true;
  });
}

const hasUsers = async ({ em }: Pick<Database, 'em'>): Promise<boolean> =>
  (await rows(em, 'select 1 from users limit 1')).length > 0;
