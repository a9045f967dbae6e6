import { permissionsOf } from '../../domain/auth/permissions.ts';
import { createAccountReader } from '../auth/accounts.ts';
import type { Database } from '../orm.ts';

/** Why runs cannot begin by themselves in somebody's name now; nothing when they can. */
export function createOwnerRights(database: Database) {
  const accounts = createAccountReader(database);
  return async (ownerId: string, usesCode: boolean): Promise<string | undefined> => {
    const account = await accounts.byUser(ownerId);
    if (!account) return 'The account of the workflow’s owner is deactivated.';
    const permissions = permissionsOf(account);
    if (!permissions.has('neosyntis:workflows:run')) return 'The workflow’s owner may not start runs.';
    if (usesCode && !permissions.has('neosyntis:workflows:execute_code'))
      return 'The workflow runs code on a host, and its owner has no neosyntis:workflows:execute_code.';
    return undefined;
  };
}
