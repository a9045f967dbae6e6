import { type Permission, permissionsOf } from '../../domain/auth/permissions.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import type { TaskAction } from '../../domain/myntrix/task-actions.ts';
import type { createAccountReader } from '../auth/accounts.ts';
import type { Sql } from '../orm.ts';

/** Whoever a task is of, by what they may do now. */
export type TaskOwner = Pick<Principal, 'userId' | 'isAdmin' | 'permissions'>;

const needed: Record<TaskAction['type'], Permission[]> = {
  workflow: ['neosyntis:workflows:run'],
  script: ['neosyntis:workflows:execute_code'],
  agent: ['myntrix:agents:run'],
  api: [],
};

/** What somebody lacks for an action; nothing when they may. */
export function hindrance(
  { permissions }: Pick<Principal, 'permissions'>,
  { type }: TaskAction,
): string | undefined {
  const missing = ['myntrix:tasks:run' as const, ...needed[type]].find(
    (permission) => !permissions.has(permission),
  );
  return missing === undefined ? undefined : `The task’s owner has no ${missing}.`;
}

/** In whose name a task does what it does, or why it may not now. */
export async function actingOwner(
  sql: Sql,
  accounts: Pick<ReturnType<typeof createAccountReader>, 'byUser'>,
  { owner_id, action }: { owner_id: string; action: TaskAction },
): Promise<{ owner: TaskOwner } | { refusal: string }> {
  const account = await accounts.byUser(owner_id, sql);
  if (!account) return { refusal: 'The account of the task’s owner is deactivated.' };
  const owner = {
    userId: account.id,
    isAdmin: account.role === 'admin',
    permissions: permissionsOf(account),
  };
  const refusal = hindrance(owner, action);
  return refusal === undefined ? { owner } : { refusal };
}
