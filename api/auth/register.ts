import { insertUser } from '../../db/auth/users.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { Registration, User } from '../../domain/auth/users.ts';
import { AppError } from '../../domain/errors.ts';
import { created, type Route, route } from '../http/route.ts';
import type { AuthDeps } from './deps.ts';
import type { AuthLimits } from './limits.ts';
import { deliver, queueVerification } from './mails.ts';
import { hashPassword, requireGoodPassword } from './passwords.ts';

/** New accounts: by an administrator, or by anybody where registration is open. They begin as viewers. */
export function createRegisterRoutes(deps: AuthDeps & { limits: AuthLimits }): Route[] {
  const isOpen = deps.config.VAREON_REGISTRATION === 'open';

  async function admit(user: Principal | undefined, ip: string): Promise<void> {
    if (user?.permissions.has('system:users:write')) return;
    if (!isOpen)
      throw new AppError(
        'forbidden',
        'Registration is off here (VAREON_REGISTRATION): ask an administrator, who can make an account for you.',
      );
    await deps.limits.once('register', ip);
  }

  return [
    route({
      method: 'POST',
      path: '/api/register',
      access: 'public',
      summary: 'Make an account',
      description:
        'Mails a token that verifies the address; until it is used the account may do what a viewer may.',
      body: Registration,
      answers: { 201: { description: 'The new user', schema: User } },
      errors: ['forbidden', 'conflict', 'rate_limited'],
      handler: async ({ user: caller, body, request }) => {
        await admit(caller, request.ip);
        await requireGoodPassword(body.password, body, '/password');
        const { username, email } = body;
        const passwordHash = await hashPassword(body.password);
        const { user, mail } = await deps.database.em.fork().transactional(async (em) => {
          const user = await insertUser(em, {
            username,
            email,
            passwordHash,
            role: 'viewer',
            is_verified: false,
          });
          return { user, mail: await queueVerification(em, user, deps) };
        });
        deliver([mail], deps);
        return created(user, `/api/users/${user.id}`);
      },
    }),
  ];
}
