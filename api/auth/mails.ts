import { issueEmailToken } from '../../db/auth/email-tokens.ts';
import type { Sql } from '../../db/orm.ts';
import type { QueuedMail } from '../../db/system/outbox.ts';
import { RESET_TOKEN_MINUTES } from '../../domain/auth/sessions.ts';
import type { User } from '../../domain/auth/users.ts';
import { resetMail, verificationMail } from '../../domain/system/mail.ts';
import type { AuthDeps } from './deps.ts';

const inMinutes = (minutes: number): Date => new Date(Date.now() + minutes * 60_000);

/** Puts the mail that asks a user to verify their address into the outbox, in the transaction that needs it. */
export async function queueVerification(
  em: Sql,
  user: User,
  deps: Pick<AuthDeps, 'config' | 'outbox' | 'publicUrl'>,
): Promise<QueuedMail> {
  const expiresAt = inMinutes(deps.config.VERIFICATION_TOKEN_EXPIRE_MINUTES);
  const token = await issueEmailToken(em, { userId: user.id, purpose: 'verify', expiresAt });
  const link = `${deps.publicUrl}/api/verify-email?token=${token}`;
  return deps.outbox.put(em, { to: user.email, expiresAt, ...verificationMail(user.username, link) });
}

/** Puts the mail that lets a user choose a new password into the outbox. */
export async function queueReset(em: Sql, user: User, deps: Pick<AuthDeps, 'outbox'>): Promise<QueuedMail> {
  const expiresAt = inMinutes(RESET_TOKEN_MINUTES);
  const token = await issueEmailToken(em, { userId: user.id, purpose: 'reset', expiresAt });
  return deps.outbox.put(em, {
    to: user.email,
    expiresAt,
    ...resetMail(user.username, token, RESET_TOKEN_MINUTES),
  });
}

/**
 * Starts the delivery of mails after their transaction. Nobody waits for it: the mail is kept, so a start that
 * fails is made up for later.
 */
export function deliver(
  mails: readonly QueuedMail[],
  { startMail, log }: Pick<AuthDeps, 'startMail' | 'log'>,
): void {
  for (const { mailId, expiresAt } of startMail ? mails : [])
    startMail?.(mailId, expiresAt).catch((error: unknown) =>
      log.warn({ err: error, mailId }, 'the delivery of a mail could not be started yet'),
    );
}
