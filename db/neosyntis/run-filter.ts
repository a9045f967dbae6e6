import type { Principal } from '../../domain/auth/principal.ts';
import type { RunStatus } from '../../domain/neosyntis/runs.ts';
import { ownedBy } from '../owned.ts';

export interface RunFilter {
  workflow_id?: string;
  status?: RunStatus;
  created_after?: string;
  created_before?: string;
  /** A part of the workflow's name, in any case. */
  name?: string;
}

const conditions: { [name in keyof RunFilter]-?: string } = {
  workflow_id: 'r.workflow_id = ?',
  status: 'j.status = ?',
  created_after: 'j.created_at > ?::timestamptz',
  created_before: 'j.created_at < ?::timestamptz',
  name: 'strpos(lower(j.name), lower(?)) > 0',
};

/** The condition under which a run `r` with its job `j` is meant, and is the user's. */
export function runsWhere(user: Principal, filter: RunFilter): { where: string; params: unknown[] } {
  const owned = ownedBy(user, 'j.owner_id');
  const names = (Object.keys(conditions) as (keyof RunFilter)[]) // its own keys
    .filter((name) => filter[name] !== undefined);
  return {
    where: [owned.where, ...names.map((name) => conditions[name])].join(' and '),
    params: [...owned.params, ...names.map((name) => filter[name])],
  };
}
