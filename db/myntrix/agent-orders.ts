import type { Principal } from '../../domain/auth/principal.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type { Agent } from '../../domain/myntrix/agents.ts';
import type { AgentAction } from '../../domain/names.ts';
import type { Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { agentEvent, jobEvent } from './agent-events.ts';

export interface OrderedAgent {
  jobId: string;
  epoch: number;
  isDone: boolean;
  events: StoredEvent[];
}

/** Writes an order and its job. @param agent as it is, with its row locked */
export async function orderAgent(
  tx: Sql,
  user: Pick<Principal, 'userId'>,
  agent: Agent & { epoch: number },
  action: AgentAction,
  jobId: string,
): Promise<OrderedAgent> {
  const wanted = action === 'stop' ? 'stopped' : 'running';
  const isDone =
    action !== 'restart' &&
    agent.desired === wanted &&
    agent.status === (action === 'stop' ? 'stopped' : 'running');
  const isOnItsWay =
    action === 'start' && agent.desired === 'running' && ['starting', 'unknown'].includes(agent.status);
  const epoch = agent.epoch + (isDone || isOnItsWay ? 0 : 1);
  const [given] = await rows<{ epoch: string; ended: boolean }>(
    tx,
    "select details->>'epoch' as epoch, ended_at is not null as ended from jobs where id = ?",
    [jobId],
  );
  if (given) return { jobId, epoch: Number(given.epoch), isDone: given.ended, events: [] };
  const status = isDone ? 'completed' : 'pending';
  await tx.execute(
    `insert into jobs (id, type, name, owner_id, status, progress, details, created_at, updated_at, ended_at)
     values (?, ?, ?, ?, ?, ?, ?::jsonb, now(), now(), case when ? then now() end)`,
    [
      jobId,
      `agent_${action}`,
      `${action} ${agent.name}`,
      user.userId,
      status,
      isDone ? 100 : 0,
      json({ agent_id: agent.id, epoch, host: agent.host }),
      isDone,
    ],
  );
  const now = action === 'stop' ? 'stopping' : 'starting';
  if (epoch > agent.epoch)
    await tx.execute(
      'update agents set desired = ?, epoch = ?, status = ?, updated_at = now() where id = ?',
      [wanted, epoch, now, agent.id],
    );
  const events = await appendEvents(tx, [
    jobEvent({ id: jobId, ownerId: user.userId, status }),
    ...(epoch > agent.epoch ? [agentEvent({ ...agent, desired: wanted, status: now })] : []),
  ]);
  return { jobId, epoch, isDone, events };
}
