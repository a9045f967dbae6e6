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
