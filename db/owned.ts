import type { Principal } from '../domain/auth/principal.ts';

/** The condition under which somebody finds a thing: it is theirs, or they are an administrator. */
export const ownedBy = (
  user: Pick<Principal, 'userId' | 'isAdmin'>,
  column: string,
): { where: string; params: unknown[] } =>
  user.isAdmin ? { where: 'true', params: [] } : { where: `${column} = ?`, params: [user.userId] };
