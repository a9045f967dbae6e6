import { setTimeout as delay } from 'node:timers/promises';
import { Type } from 'typebox';
import { ownerOfEmailToken, useEmailToken } from '../../db/auth/email-tokens.ts';
import { createUserRepository, setPassword } from '../../db/auth/users.ts';
import { requireSession } from '../../domain/auth/principal.ts';
import { PasswordChange, ResetConfirmation, ResetRequest } from '../../domain/auth/sessions.ts';
import { AppError } from '../../domain/errors.ts';
import { noContent, type Route, route } from '../http/route.ts';
import { audited } from './audited.ts';
import type { AuthDeps } from './deps.ts';
import type { AuthLimits } from './limits.ts';
import { deliver, queueReset } from './mails.ts';
import { hashPassword, isPassword, requireGoodPassword } from './passwords.ts';

/** Longer than finding a user and writing a mail takes, so that the answer's time does not tell which happened. */
const RESET_ANSWER_MS = 250;

const RESET_ANSWER = 'If an active account has this address, a mail with a token is on its way to it.';

/** Changing a password, by the old one or by a mailed token. Both end all sessions of the user. */
export function createPasswordRoutes(deps: AuthDeps & { limits: AuthLimits }): Route[] {
  const users = createUserRepository(deps.database);
  const { authenticator, database, limits } = deps;

  async function mailReset(email: string): Promise<void> {
    const user = await users.findByEmail(email);
    if (!user?.is_active || !(await limits.mayMail(user.id))) return;
    deliver([await database.em.fork().transactional((em) => queueReset(em, user, deps))], deps);
  }

  return [
    route({
      method: 'POST',
      path: '/api/users/me/password',
      access: 'login',
      summary: 'Change your password',
      description:
        'Ends every session of yours, this one too: log in again with the new password. API tokens stay.',
      body: PasswordChange,
      answers: { 204: { description: 'Changed' } },
      errors: ['rate_limited'],
      handler: async ({ user, body, request }) => {
        requireSession(user);
        const account = await users.findForLogin(user.username);
        const isRight = await limits.password(user.username, request.ip, () =>
          isPassword(body.old_password, account?.password_hash),
        );
        if (!isRight || !account) throw wrongOldPassword();
        await requireGoodPassword(body.new_password, account, '/new_password');
        const passwordHash = await hashPassword(body.new_password);
        await database.em.fork().transactional((em) => setPassword(em, account.id, passwordHash));
        authenticator.forget();
        return noContent();
      },
    }),
    route({
      method: 'POST',
      path: '/api/password-reset',
      access: 'public',
      summary: 'Ask for a mail that allows a new password',
      description: 'Answers the same, after the same time, whether or not there is such an account.',
      body: ResetRequest,
      answers: { 202: { description: RESET_ANSWER, schema: Type.Object({ detail: Type.String() }) } },
      errors: ['rate_limited'],
      handler: async ({ body, request }) => {
        await limits.once('reset', request.ip);
        await Promise.all([mailReset(body.email), delay(RESET_ANSWER_MS)]);
        return { status: 202, body: { detail: RESET_ANSWER } };
      },
    }),
    route({
      method: 'POST',
      path: '/api/password-reset/confirm',
      access: 'public',
      summary: 'Set a new password with a mailed token',
      body: ResetConfirmation,
      answers: { 204: { description: 'Set; every session of the account has ended' } },
      errors: ['rate_limited'],
      audit: false,
      handler: ({ body, request }) =>
        audited(deps.audit, 'POST /api/password-reset/confirm', request, async () => {
          await limits.once('verify', request.ip);
          const user = await users.get(await ownerOfEmailToken(database.em, body.token, 'reset'));
          await requireGoodPassword(body.password, user, '/password');
          const passwordHash = await hashPassword(body.password);
          await database.em.fork().transactional(async (em) => {
            await useEmailToken(em, body.token, 'reset');
            await setPassword(em, user.id, passwordHash);
          });
          authenticator.forget();
          await limits.forgive(user.username);
          return { reply: noContent(), actor: { userId: user.id, username: user.username } };
        }),
    }),
  ];
}

function wrongOldPassword(): AppError {
  const message = 'the old password is wrong';
  return new AppError('invalid', 'The old password is wrong.', {
    errors: [{ path: '/old_password', message }],
  });
}
