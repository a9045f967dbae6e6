import { createAccountReader } from '../../db/auth/accounts.ts';
import { createSessionRepository, type RefreshedSession } from '../../db/auth/sessions.ts';
import { createUserRepository } from '../../db/auth/users.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { requireSession } from '../../domain/auth/principal.ts';
import {
  Login,
  Logout,
  Refresh,
  type TokenPair,
  TokenPair as TokenPairSchema,
} from '../../domain/auth/sessions.ts';
import { AppError } from '../../domain/errors.ts';
import { noContent, ok, type Route, route } from '../http/route.ts';
import { audited } from './audited.ts';
import type { AuthDeps } from './deps.ts';
import type { AuthLimits } from './limits.ts';
import { isPassword } from './passwords.ts';

/** Logging in, going on and logging out. */
export function createSessionRoutes(deps: AuthDeps & { limits: AuthLimits }): Route[] {
  const users = createUserRepository(deps.database);
  const sessions = createSessionRepository(deps.database);
  const accounts = createAccountReader(deps.database);
  const { authenticator, limits } = deps;

  /** The access token is issued for what the session is now, so an epoch that has just grown is in it. */
  async function tokenPair(session: RefreshedSession): Promise<{ pair: TokenPair; actor: Actor }> {
    const account = await accounts.bySession(session.sessionId);
    if (!account) throw new AppError('unauthenticated', 'This session has just been ended; log in again.');
    const { accessTokens } = authenticator;
    const pair: TokenPair = {
      access_token: await accessTokens.issue({ ...session, epoch: account.token_epoch }),
      token_type: 'bearer',
      expires_in: accessTokens.lifetimeSeconds,
      refresh_token: session.refreshToken,
    };
    return { pair, actor: { userId: account.id, username: account.username } };
  }

  async function logIn(username: string, password: string, ip: string): Promise<RefreshedSession> {
    const user = await users.findForLogin(username);
    const mayLogIn = await limits.password(username, ip, async () => {
      const isRight = await isPassword(password, user?.password_hash);
      return isRight && user?.is_active === true;
    });
    // One answer for unknown names, wrong passwords and deactivated accounts: it tells nothing about which exist.
    if (!mayLogIn || !user) throw new AppError('unauthenticated', 'The user name or the password is wrong.');
    return sessions.start(user.id);
  }

  return [
    route({
      method: 'POST',
      path: '/api/token',
      access: 'public',
      summary: 'Log in',
      description:
        'After 5 wrong passwords each further attempt on an account waits twice as long, up to 15 minutes.',
      body: Login,
      form: true,
      answers: { 200: { description: 'An access token and a refresh token', schema: TokenPairSchema } },
      errors: ['unauthenticated', 'rate_limited'],
      audit: false,
      handler: ({ body, request }) =>
        audited(
          deps.audit,
          'POST /api/token',
          request,
          async () => {
            const { pair, actor } = await tokenPair(await logIn(body.username, body.password, request.ip));
            return { reply: ok(pair), actor };
          },
          () => users.findForLogin(body.username),
        ),
    }),
    route({
      method: 'POST',
      path: '/api/token/refresh',
      access: 'public',
      summary: 'Exchange a refresh token for new tokens',
      description:
        'Each refresh token is good for one use. One that comes again ends the session it belongs to.',
      body: Refresh,
      answers: {
        200: { description: 'New tokens; the refresh token sent is used up', schema: TokenPairSchema },
      },
      errors: ['unauthenticated'],
      audit: false,
      handler: ({ body, request }) =>
        audited(deps.audit, 'POST /api/token/refresh', request, async () => {
          const rotation = await sessions.rotate(body.refresh_token);
          if (rotation.outcome === 'reused') authenticator.forget();
          if (rotation.outcome !== 'rotated') throw notAccepted();
          const { pair, actor } = await tokenPair(rotation);
          return { reply: ok(pair), actor };
        }),
    }),
    route({
      method: 'POST',
      path: '/api/logout',
      access: 'login',
      summary: 'End the session of the access token',
      description: 'A refresh token sent along ends its session too, when it is the same user’s.',
      body: Logout,
      bodyOptional: true,
      answers: { 204: { description: 'Ended; its tokens do not count any more' } },
      handler: async ({ user, body }) => {
        await sessions.revoke(requireSession(user).sessionId);
        if (body.refresh_token) await sessions.revokeByRefreshToken(user.userId, body.refresh_token);
        authenticator.forget();
        return noContent();
      },
    }),
  ];
}

type Actor = Pick<Principal, 'userId' | 'username'>;

const notAccepted = () =>
  new AppError(
    'unauthenticated',
    'The refresh token is unknown, was used already or its session has ended; log in again.',
  );
