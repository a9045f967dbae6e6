import { permissionsOf } from '../../domain/auth/permissions.ts';
import type { RunStatus } from '../../domain/neosyntis/runs.ts';
import { createAccountReader } from '../auth/accounts.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';

export interface FoundAgent {
  id: string;
  name: string;
  host: string;
}

/** Who ordered, with what they may do now and not when their run began. */
export interface Orderer {
  userId: string;
  mayOrder: boolean;
}

export interface OrderedAgent {
  job: RunStatus;
  /** Why it could not be. */
  reason: string | null;
  status: string;
  pid: number | null;
}

/** What steps of runs know of agents. */
export function createAgentSteps(database: Database) {
  const { em } = database;
  const accounts = createAccountReader(database);
  return {
    /** By id, or else by name; more than one when the name does not tell. */
    async find(agent: string): Promise<FoundAgent[]> {
      const found = await rows<FoundAgent>(
        em,
        `select id, name, host from agents where not removed and (id::text = lower(?) or name = ?)
         order by id::text = lower(?) desc, id limit 10`,
        [agent, agent, agent],
      );
      return found[0]?.id === agent.toLowerCase() ? found.slice(0, 1) : found;
    },

    async orderer(runId: string): Promise<Orderer | undefined> {
      const [job] = await rows<{ owner_id: string | null }>(em, 'select owner_id from jobs where id = ?', [
        runId,
      ]);
      const owner = job?.owner_id == null ? undefined : await accounts.byUser(job.owner_id);
      return owner && { userId: owner.id, mayOrder: permissionsOf(owner).has('myntrix:agents:run') };
    },

    /** What became of an order; nothing for an agent or a job that is deleted. */
    async look(agentId: string, jobId: string): Promise<OrderedAgent | undefined> {
      const [found] = await rows<OrderedAgent>(
        em,
        `select j.status as job, j.details->>'reason' as reason, a.status, a.pid
         from agents a, jobs j where a.id = ? and j.id = ? and not a.removed`,
        [agentId, jobId],
      );
      return found;
    },
  };
}
