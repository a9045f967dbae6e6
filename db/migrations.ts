import { AuthAndSystem } from './migrations/0001-auth-and-system.ts';

/** Every migration in order. One that has been released is never changed; a new one follows it. */
export const migrations = [{ name: '0001-auth-and-system', class: AuthAndSystem }] as const;
