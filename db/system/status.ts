import type { Principal } from '../../domain/auth/principal.ts';
import { type AgentStatus, agentStatuses } from '../../domain/myntrix/agents.ts';
import { type DeviceStatus, deviceStatuses } from '../../domain/myntrix/devices.ts';
import { type RunStatus, runStatuses } from '../../domain/neosyntis/runs.ts';
import { shownStatus } from '../myntrix/agents.ts';
import { shownDeviceStatus } from '../myntrix/device-status.ts';
import type { Database, Sql } from '../orm.ts';
import { ownedBy } from '../owned.ts';
import { rows } from '../sql.ts';

export type RunCounts = Record<RunStatus, number>;

/** Counts for the status of the system and its metrics. */
export function createStatusCounts({ em }: Database) {
  const one = async (statement: string, params: unknown[] = []) =>
    Number((await rows<{ count: string }>(em, statement, params))[0]?.count ?? 0);

  async function runs(where: string, params: unknown[]): Promise<RunCounts> {
    const found = await rows<{ status: RunStatus; count: string }>(
      em,
      `select status, count(*) as count from jobs where type = 'workflow_run' and ${where} group by status`,
      params,
    );
    const counts = new Map(found.map(({ status, count }) => [status, Number(count)]));
    // runStatuses are all the keys that RunCounts has
    return Object.fromEntries(runStatuses.map((status) => [status, counts.get(status) ?? 0])) as RunCounts;
  }

  return {
    /** Runs of the whole installation. */
    runs: () => runs('true', []),

    /** Workflows and runs that somebody may see. */
    async neosyntis(user: Principal): Promise<{ workflows: number; runs: RunCounts }> {
      const { where, params } = ownedBy(user, 'owner_id');
      const [workflows, byStatus] = await Promise.all([
        one(
          `select count(*) as count from workflows where deleted_at is null and task_id is null and ${where}`,
          params,
        ),
        runs(where, params),
      ]);
      return { workflows, runs: byStatus };
    },

    /** Hosts that are online, open jobs that somebody may see, agents and devices for who may see them. */
    async myntrix(user: Principal): Promise<{
      hosts_online: number;
      jobs_open: number;
      agents?: Record<AgentStatus, number>;
      devices?: Record<DeviceStatus, number>;
    }> {
      const { where, params } = ownedBy(user, 'owner_id');
      const [hostsOnline, jobsOpen, agents, devices] = await Promise.all([
        one('select count(*) as count from hosts where online'),
        one(
          `select count(*) as count from jobs
           where status not in ('completed', 'failed', 'cancelled') and (owner_id is null or ${where})`,
          params,
        ),
        user.permissions.has('myntrix:agents:read')
          ? countByStatus(em, agentStatuses, shownStatus, 'agents a where not removed')
          : undefined,
        user.permissions.has('myntrix:devices:read')
          ? countByStatus(em, deviceStatuses, shownDeviceStatus, 'devices d where removed_at is null')
          : undefined,
      ]);
      return {
        hosts_online: hostsOnline,
        jobs_open: jobsOpen,
        ...(agents ? { agents } : {}),
        ...(devices ? { devices } : {}),
      };
    },
  };
}

/** @param status an expression, and what it is of: constants of this program */
async function countByStatus<S extends string>(
  sql: Sql,
  statuses: readonly S[],
  status: string,
  of: string,
): Promise<Record<S, number>> {
  const found = await rows<{ status: S; count: number }>(
    sql,
    `select ${status} as status, count(*)::int as count from ${of} group by 1`,
  );
  const counts = new Map(found.map((one) => [one.status, one.count]));
  // `statuses` are all the keys
  return Object.fromEntries(statuses.map((one) => [one, counts.get(one) ?? 0])) as Record<S, number>;
}
