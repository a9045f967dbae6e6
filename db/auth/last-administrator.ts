import type { User } from '../../domain/auth/users.ts';
import { AppError } from '../../domain/errors.ts';
import { locks } from '../locks.ts';
import type { Sql } from '../orm.ts';
import { rows } from '../sql.ts';

/** An unverified administrator may do what a viewer may do, so such a one does not count. */
const administers = (user: User | undefined): boolean =>
  user?.role === 'admin' && user.is_active && user.is_verified;

/**
 * Called in the transaction that changes (`after`) or deletes (`undefined`) a user, before it does.
 * @throws AppError `conflict` when nobody would be left who can administer.
 */
export async function keepAnAdministrator(em: Sql, before: User, after: User | undefined): Promise<void> {
  if (!administers(before) || administers(after)) return;
  // Two administrators who remove each other at the same time must not both see the other one still there.
  await rows(em, 'select pg_advisory_xact_lock(?)', [locks.administrators]);
  const others = await rows(
    em,
    "select 1 from users where role = 'admin' and is_active and is_verified and id <> ? limit 1",
    [before.id],
  );
  if (others.length > 0) return;
  const hint =
    after && before.email !== after.email
      ? ' A new address is unverified; PUT /api/users/{id} with the address and is_verified: true changes both.'
      : ' Make somebody else an administrator first.';
  throw new AppError('conflict', `${before.username} is the last active administrator.${hint}`);
}
