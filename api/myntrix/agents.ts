import { Type } from 'typebox';
import type { AgentRepository } from '../../db/myntrix/agents.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import { type AgentConfiguration, configurationProblems } from '../../domain/myntrix/agent-configuration.ts';
import { Agent, AgentLogPage, AgentUpdate, agentStatuses, NewAgent } from '../../domain/myntrix/agents.ts';
import { IdParams, literals, PageQuery } from '../../domain/wire.ts';
import { checkEnvironment } from '../../drivers/processes/environment.ts';
import { pageReply } from '../http/page.ts';
import { changesOf, etagOf, requireMatch } from '../http/put.ts';
import { created, noContent, ok, type Route, route } from '../http/route.ts';
import type { AgentLogs } from './agent-logs.ts';
import type { AgentOrders } from './agent-orders.ts';

const base = '/api/myntrix/agents';
export interface AgentRouteDeps {
  agents: AgentRepository;
  orders: AgentOrders;
  readLog: AgentLogs;
  /** Runs the agents that name no host. */
  defaultHost: string;
}

export function createAgentRoutes({ agents, orders, readLog, defaultHost }: AgentRouteDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: base,
      access: 'myntrix:agents:read',
      summary: 'List agents',
      query: Type.Object(
        {
          ...PageQuery,
          status: Type.Optional(literals(agentStatuses)),
          host: Type.Optional(Type.String({ maxLength: 63 })),
        },
        { additionalProperties: false },
      ),
      answers: { 200: { description: 'newest first', schema: Type.Array(Agent) } },
      async handler({ user, query, request }) {
        const found = await agents.list(query);
        return pageReply(
          found.map((agent) => shownTo(user, agent)),
          query,
          request,
        );
      },
    }),
    route({
      method: 'POST',
      path: base,
      access: 'myntrix:agents:write',
      summary: 'Create an agent',
      description:
        'It is stopped until it is started. For those who may run code on its host (`configuration.host`, or the installation’s own).',
      body: NewAgent,
      answers: { 201: { description: 'the agent', schema: Agent } },
      async handler({ user, body: { name, type = '', configuration } }) {
        checkConfiguration(configuration);
        const host = configuration.host ?? defaultHost;
        await orders.requireCode(user, host);
        const agent = await orders.save(
          agents.create(user, { name, type, host, configuration }, orders.schedules(user, configuration)),
        );
        return created(agent, `${base}/${agent.id}`);
      },
    }),
    route({
      method: 'GET',
      path: `${base}/{id}`,
      access: 'myntrix:agents:read',
      summary: 'Read an agent',
      description:
        'What is wanted of it (`desired`) and how it is (`status`), at most 5 s old. Values of `configuration.env` are shown to those who may change agents.',
      params: IdParams,
      answers: { 200: { description: 'the agent', schema: Agent } },
      async handler({ user, params }) {
        const agent = shownTo(user, await agents.get(params.id));
        return ok(agent, { ETag: etagOf(definitionOf(agent)) });
      },
    }),
    route({
      method: 'PUT',
      path: `${base}/{id}`,
      access: 'myntrix:agents:write',
      summary: 'Change an agent',
      description:
        'One that runs goes on as it is until it is restarted. Its host can be changed while it is stopped. Honours If-Match, of name, type and configuration.',
      params: IdParams,
      body: AgentUpdate,
      headers: { 'If-Match': 'the ETag of what was read' },
      answers: { 200: { description: 'the agent as it is now', schema: Agent } },
      errors: ['conflict', 'precondition_failed'],
      async handler({ user, params, body, request }) {
        const before = await agents.get(params.id);
        const configuration = body.configuration ?? before.configuration;
        checkConfiguration(configuration);
        const host = configuration.host ?? defaultHost;
        await orders.requireCode(user, host);
        const sent = withoutLive(body);
        const beside = orders.schedules(user, configuration);
        const change = (current: Agent) => {
          requireMatch(request.header('If-Match'), etagOf(definitionOf(current)));
          const changes = changesOf(current, sent, ['name', 'type', 'configuration']);
          if (host !== current.host && (current.desired !== 'stopped' || current.status !== 'stopped'))
            throw new AppError(
              'conflict',
              `Agent ${params.id} is ${current.status} on host "${current.host}": stop it before it moves.`,
            );
          return { ...current, ...changes, host };
        };
        const agent = await orders.save(agents.update(params.id, change, beside));
        return ok(agent, { ETag: etagOf(definitionOf(agent)) });
      },
    }),
    route({
      method: 'DELETE',
      path: `${base}/{id}`,
      access: 'myntrix:agents:write',
      summary: 'Delete an agent',
      description: 'It is stopped, with everything that it started, and its log is deleted.',
      params: IdParams,
      answers: { 204: { description: 'nobody finds it any more' } },
      async handler({ user, params }) {
        await orders.remove(user, params.id);
        return noContent();
      },
    }),
    route({
      method: 'GET',
      path: `${base}/{id}/logs`,
      access: 'myntrix:agents:read',
      summary: 'Read what an agent printed, from a byte offset on',
      description:
        'Offsets count what it wrote since it was made, over all its starts; its host keeps the last of it. With `follow` it waits up to 5 s for something to be there.',
      params: IdParams,
      query: Type.Object(
        {
          offset: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
          follow: Type.Optional(Type.Boolean()),
        },
        { additionalProperties: false },
      ),
      answers: { 200: { description: '256 KiB at most', schema: AgentLogPage } },
      async handler({ params, query }) {
        const agent = await agents.get(params.id);
        return ok(await readLog(agent, { offset: query.offset ?? 0, waitMs: query.follow ? 5_000 : 0 }));
      },
    }),
  ];
}

/** What changes by itself is not the caller's to change, and nobody can send it as it is. */
const live = [
  ...(['status', 'health', 'healthParts', 'lastRun', 'pid', 'restarts', 'cpuPercent'] as const),
  ...(['memoryBytes', 'uptimeSeconds', 'logBytes', 'lastEnd', 'updatedAt'] as const),
];
const withoutLive = (body: AgentUpdate): AgentUpdate =>
  Object.fromEntries(Object.entries(body).filter(([name]) => !live.some((one) => one === name)));

const definitionOf = ({ name, type, configuration }: Agent) => ({ name, type, configuration });

/** Variables may hold what is not for everybody who may look. */
export function shownTo(user: Principal, agent: Agent): Agent {
  const { env } = agent.configuration;
  if (!env || user.permissions.has('myntrix:agents:write')) return agent;
  const hidden = Object.fromEntries(Object.keys(env).map((name) => [name, '***']));
  return { ...agent, configuration: { ...agent.configuration, env: hidden } };
}

/** @throws AppError `invalid` with every problem */
function checkConfiguration(configuration: AgentConfiguration): void {
  const wrongEnv = checkEnvironment(configuration.env ?? {});
  const errors = [
    ...configurationProblems(configuration).map(({ path, message }) => ({
      path: `/configuration${path}`,
      message,
    })),
    ...(wrongEnv ? [{ path: '/configuration/env', message: wrongEnv }] : []),
  ];
  const [first] = errors;
  if (first)
    throw new AppError('invalid', `The configuration has a problem: ${first.path} ${first.message}.`, {
      errors,
    });
}
