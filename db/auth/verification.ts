import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';
import { useEmailToken } from './email-tokens.ts';

/**
 * Uses a verification token up and marks its owner's address as verified.
 * @throws AppError `invalid` for a token that does not count.
 */
export const verifyEmail = (
  database: Database,
  token: string,
): Promise<{ userId: string; username: string }> =>
  database.em.fork().transactional(async (em) => {
    const userId = await useEmailToken(em, token, 'verify');
    const [user] = await rows<{ username: string }>(
      em,
      'update users set is_verified = true where id = ? returning username',
      [userId],
    );
    if (!user) throw new Error(`the token's user ${userId} is gone, which its foreign key forbids`);
    return { userId, username: user.username };
  });
