import type { Route } from '../http/route.ts';
import { createMailRoutes } from '../system/mail.ts';
import { createApiTokenRoutes } from './api-tokens.ts';
import type { AuthDeps } from './deps.ts';
import { createAuthLimits } from './limits.ts';
import { createPasswordRoutes } from './password.ts';
import { createRegisterRoutes } from './register.ts';
import { createSessionRoutes } from './sessions.ts';
import { createUserRoutes } from './users.ts';
import { createVerifyEmailRoutes } from './verify-email.ts';
import { createTicketRoutes } from './ws-tickets.ts';

/** Everything about who somebody is, and the mails that go with it. */
export function createAuthRoutes(deps: AuthDeps): Route[] {
  const limited = { ...deps, limits: createAuthLimits(deps.database) };
  return [
    ...createRegisterRoutes(limited),
    ...createVerifyEmailRoutes(limited),
    ...createSessionRoutes(limited),
    ...createPasswordRoutes(limited),
    ...createUserRoutes(deps),
    ...createApiTokenRoutes(deps),
    ...createTicketRoutes(deps),
    ...createMailRoutes(deps),
  ];
}
