import type { Agent } from '../../domain/myntrix/agents.ts';
import type { NewEvent } from '../system/events.ts';

/** What `/ws/events` tells of an agent: what a list shows of it, without its configuration. */
export const agentEvent = (
  agent: Pick<Agent, 'id' | 'name' | 'host' | 'status' | 'desired' | 'pid' | 'health' | 'restarts'>,
  what: string = agent.status,
): NewEvent => {
  const { id, name, host, status, desired, pid, health, restarts } = agent;
  return {
    topic: 'agents',
    type: `agent.${what}`,
    source: '/myntrix/agents',
    subject: id,
    ownerId: null,
    data: { id, name, host, status, desired, pid, health, restarts },
  };
};

export const jobEvent = (job: { id: string; ownerId: string | null; status: string }): NewEvent => ({
  topic: 'jobs',
  type: `job.${job.status}`,
  source: '/myntrix/jobs',
  subject: job.id,
  ownerId: job.ownerId,
  data: { id: job.id, status: job.status, progress: job.status === 'pending' ? 0 : 100 },
});
