import { Type } from 'typebox';
import type { AgentRepository } from '../../db/myntrix/agents.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AgentStarted } from '../../domain/myntrix/agents.ts';
import { type AgentAction, agentUpdates } from '../../domain/names.ts';
import { Id, IdParams, literals } from '../../domain/wire.ts';
import { accepted, type Reply, type RequestInfo, type Route, route } from '../http/route.ts';
import type { AgentOrders } from './agent-orders.ts';
import { shownTo } from './agents.ts';
import { WaitQuery } from './wait-query.ts';

const base = '/api/myntrix/agents';

const said = { start: 'Start an agent', stop: 'Stop an agent', restart: 'Restart an agent' } as const;
const actions = Object.keys(agentUpdates) as AgentAction[]; // its keys are the actions

/** Routes that start, stop and restart agents. */
export function createAgentOrderRoutes({
  agents,
  orders,
}: {
  agents: Pick<AgentRepository, 'get'>;
  orders: AgentOrders;
}): Route[] {
  async function give(
    user: Principal,
    id: string,
    action: AgentAction,
    { wait, request }: { wait: number; request: RequestInfo },
  ): Promise<Reply> {
    const jobId = await orders.give(user, id, action);
    const reply = async () =>
      accepted({ job_id: jobId, agent: shownTo(user, await agents.get(id)) }, `/api/myntrix/jobs/${jobId}`);
    if (wait === 0) return reply();
    const later = async () => {
      await orders.untilEnded(jobId, wait, request.signal);
      return reply();
    };
    return { status: 202, later };
  }

  return [
    ...actions.map((action) =>
      route({
        method: 'POST',
        path: `${base}/{id}/${action}`,
        access: 'myntrix:agents:run',
        summary: said[action],
        description: 'With `?wait=` the answer comes when that is done, or after so many seconds.',
        params: IdParams,
        query: WaitQuery,
        answers: { 202: { description: 'the job that says what becomes of it', schema: AgentStarted } },
        handler: ({ user, params, query, request }) =>
          give(user, params.id, action, { wait: query.wait ?? 0, request }),
      }),
    ),
    route({
      method: 'POST',
      path: '/api/myntrix/manage-agents',
      access: 'myntrix:agents:run',
      summary: 'Start, stop or restart an agent, as older dashboards do',
      body: Type.Object({ agent_id: Id, action: literals(actions) }, { additionalProperties: false }),
      errors: ['not_found'],
      answers: { 202: { description: 'the job that says what becomes of it', schema: AgentStarted } },
      handler: ({ user, body, request }) => give(user, body.agent_id, body.action, { wait: 0, request }),
    }),
  ];
}
