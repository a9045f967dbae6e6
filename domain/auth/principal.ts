import { AppError } from '../errors.ts';
import type { Permission, Role } from './permissions.ts';

/** Who makes a request, as it is known now and not when a token was issued. */
export interface Principal {
  userId: string;
  username: string;
  role: Role;
  isAdmin: boolean;
  /** For an API token: the token's own, as far as its owner still has them. */
  permissions: ReadonlySet<Permission>;
  credential: { kind: 'session'; sessionId: string } | { kind: 'api_token'; tokenId: string };
}

/**
 * The session of somebody who logged in with a password: what decides over the account itself is not for API
 * tokens, or a leaked one could take the account over.
 * @throws AppError `forbidden` for an API token.
 */
export function requireSession(user: Principal): { sessionId: string } {
  if (user.credential.kind === 'session') return user.credential;
  throw new AppError(
    'forbidden',
    'An API token cannot do this; log in with your password and use that token.',
  );
}
