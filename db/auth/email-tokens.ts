import { defineEntity, p } from '@mikro-orm/postgresql';
import { AppError } from '../../domain/errors.ts';
import type { Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { newSecret, sha256 } from './secrets.ts';

export type EmailTokenPurpose = 'verify' | 'reset';

export const EmailTokenEntity = defineEntity({
  name: 'EmailToken',
  tableName: 'email_tokens',
  properties: {
    hash: p.blob().primary(),
    user_id: p.uuid(),
    purpose: p.text().$type<EmailTokenPurpose>(),
    expires_at: p.datetime(3),
  },
});

/** Makes a token for one use; older ones of the same user and purpose do not count any more. */
export async function issueEmailToken(
  em: Sql,
  { userId, purpose, expiresAt }: { userId: string; purpose: EmailTokenPurpose; expiresAt: Date },
): Promise<string> {
  await voidEmailTokens(em, userId, [purpose]);
  const token = newSecret(128);
  await rows(em, 'insert into email_tokens (hash, user_id, purpose, expires_at) values (?, ?, ?, ?)', [
    sha256(token),
    userId,
    purpose,
    expiresAt.toISOString(),
  ]);
  return token;
}

export async function voidEmailTokens(
  em: Sql,
  userId: string,
  purposes: readonly EmailTokenPurpose[],
): Promise<void> {
  await rows(em, 'delete from email_tokens where user_id = ? and purpose in (?)', [userId, [...purposes]]);
}

/**
 * Whose token this is, leaving it as it is.
 * @throws AppError `invalid` when it was never made, is used, void or too old: which of them is not said.
 */
export async function ownerOfEmailToken(em: Sql, token: string, purpose: EmailTokenPurpose): Promise<string> {
  return owner(
    await rows(em, 'select user_id from email_tokens where hash = ? and purpose = ? and expires_at > now()', [
      sha256(token),
      purpose,
    ]),
  );
}

/** Uses a token up. @throws AppError `invalid` as `ownerOfEmailToken` does. */
export async function useEmailToken(em: Sql, token: string, purpose: EmailTokenPurpose): Promise<string> {
  return owner(
    await rows(
      em,
      'delete from email_tokens where hash = ? and purpose = ? and expires_at > now() returning user_id',
      [sha256(token), purpose],
    ),
  );
}

function owner([row]: { user_id: string }[]): string {
  if (row) return row.user_id;
  const message = 'this token is unknown, was used already or is too old; ask for a new mail';
  throw new AppError('invalid', `The token cannot be accepted: ${message}.`, {
    errors: [{ path: '/token', message }],
  });
}
