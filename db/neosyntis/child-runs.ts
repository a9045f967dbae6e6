import { type Permission, permissionsOf, type Role } from '../../domain/auth/permissions.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';

/** What a step names: a workflow of the owner of its run. */
export interface ChildTarget {
  namespace: string;
  name: string;
  /** Of the document, or `latest`. */
  version: string;
}

/** What is known of a run that wants to start another one. */
export interface Parent {
  startedBy: string;
  /** Now, and when it was started. */
  mayRunCode: boolean;
  /** Runs above it, itself included; no more are counted than `depthLimit`. */
  depth: number;
}

const ofOwner = `from jobs p join workflows w on w.owner_id = p.owner_id and w.deleted_at is null
  join workflow_versions v on v.workflow_id = w.id where p.id = ?`;
const documentField = (name: string) => `v.document->'document'->>'${name}'`;

/** Runs that steps of other runs start. */
export function createChildRuns({ em }: Database) {
  return {
    async parent(runId: string, depthLimit: number): Promise<Parent | undefined> {
      const [found] = await rows<{
        started_by: string;
        may_run_code: boolean;
        role: Role;
        is_active: boolean;
        is_verified: boolean;
        granted_permissions: Permission[];
        has_host_grant: boolean;
        depth: number;
      }>(
        em,
        `with recursive up as (
           select parent_run_id, 1 as depth from runs where id = ?
           union all
           select r.parent_run_id, up.depth + 1 from runs r join up on r.id = up.parent_run_id where up.depth < ?
         )
         select r.started_by, r.may_run_code, u.role, u.is_active, u.is_verified, u.granted_permissions,
           exists (select 1 from host_grants g where g.user_id = u.id) as has_host_grant,
           (select max(depth) from up) as depth
         from runs r join users u on u.id = r.started_by where r.id = ?`,
        [runId, depthLimit, runId],
      );
      if (!found) return undefined;
      const counts = found.is_active && found.is_verified;
      const may = counts && permissionsOf(found).has('neosyntis:workflows:execute_code');
      return { startedBy: found.started_by, mayRunCode: found.may_run_code && may, depth: found.depth };
    },

    /** The version that was saved last of those that fit. */
    async target(
      runId: string,
      { namespace, name, version }: ChildTarget,
    ): Promise<{ workflowId: string; version: number; usesCode: boolean } | undefined> {
      const [found] = await rows<{ workflowId: string; version: number; usesCode: boolean }>(
        em,
        `select w.id as "workflowId", v.version, v.uses_code as "usesCode" ${ofOwner}
           and ${documentField('namespace')} = ? and ${documentField('name')} = ?
           and (case when ? = 'latest' then v.version = w.version else ${documentField('version')} = ? end)
         order by v.created_at desc, v.version desc limit 1`,
        [runId, namespace, name, version, version],
      );
      return found;
    },

    /** What the owner has instead, at most ten: versions of that name, or names of that namespace. */
    async alternatives(runId: string, { namespace, name }: ChildTarget): Promise<string[]> {
      const found = await rows<{ name: string; version: string }>(
        em,
        `select distinct ${documentField('name')} as name, ${documentField('version')} as version ${ofOwner}
           and ${documentField('namespace')} = ? and v.version = w.version
         order by 1, 2 limit 1000`,
        [runId, namespace],
      );
      const same = found.filter((one) => one.name === name).map(({ version }) => `version ${version}`);
      return (same.length > 0 ? same : found.map((one) => one.name)).slice(0, 10);
    },
  };
}

export type ChildRuns = ReturnType<typeof createChildRuns>;
