import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import { type Permission, permissionsOf, type Role } from '../../domain/auth/permissions.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type { AgentConfiguration } from '../../domain/myntrix/agent-configuration.ts';
import type { HealthParts, LastEnd } from '../../domain/myntrix/agent-reports.ts';
import type { Agent, HostAgentStatus } from '../../domain/myntrix/agents.ts';
import type { AgentAction } from '../../domain/names.ts';
import type { Database, Sql } from '../orm.ts';
import { iso, json, type Page, pageClause, rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { agentEvent } from './agent-events.ts';
import { type OrderedAgent, orderAgent } from './agent-orders.ts';
import type { BesideAgent, WrittenTasks } from './agent-schedules.ts';

export const AgentEntity = defineEntity({
  name: 'Agent',
  tableName: 'agents',
  properties: {
    id: p.uuid().primary(),
    name: p.text(),
    type: p.text(),
    owner_id: p.uuid().nullable(),
    host: p.text(),
    configuration: p.json().$type<AgentConfiguration>().columnType('json'),
    desired: p.text().$type<Agent['desired']>(),
    epoch: p.bigint('number').default(0),
    taken: p.bigint('number').default(0),
    removed: p.boolean().default(false),
    status: p.text().$type<HostAgentStatus>(),
    pid: p.integer().nullable(),
    started_at: p.datetime(3).nullable(),
    last_run: p.datetime(3).nullable(),
    restarts: p.integer().default(0),
    health: p.integer().default(0),
    health_parts: p.json().$type<HealthParts>(),
    cpu_percent: p.double().default(0),
    memory_bytes: p.bigint('number').default(0),
    log_bytes: p.bigint('number').default(0),
    last_end: p.json().$type<LastEnd>().nullable(),
    reported_epoch: p.bigint('number').default(-1),
    reported_seq: p.bigint('number').default(-1),
    created_at: p.datetime(3),
    updated_at: p.datetime(3),
  },
});

const NO_HEALTH: HealthParts = { liveness: 0, checks: 0, restarts: 0, resources: 0 };

/** Whether its host can say how it is. A host that was deleted cannot. */
const isSeen = 'exists (select 1 from hosts h where h.name = a.host and h.online)';
export const shownStatus = `case when a.status in ('running', 'starting', 'stopping') and not ${isSeen}
  then 'unknown' else a.status end`;

const columns = `a.id, a.name, a.type, a.owner_id, ${shownStatus} as status, a.desired, a.health,
  a.health_parts as "healthParts", ${iso('a.last_run', '"lastRun"')}, a.configuration, a.host, a.pid, a.restarts,
  a.cpu_percent as "cpuPercent", a.memory_bytes::float8 as "memoryBytes",
  case when a.started_at is null then 0 else greatest(0, floor(extract(epoch from now() - a.started_at)))::int end
    as "uptimeSeconds",
  a.log_bytes::float8 as "logBytes", a.last_end as "lastEnd",
  ${iso('a.created_at', '"createdAt"')}, ${iso('a.updated_at', '"updatedAt"')}`;

export interface AgentFilter extends Page {
  status?: string;
  host?: string;
}

/** An agent that was written, with the tasks that its configuration asks for. */
export interface SavedAgent {
  agent: Agent;
  /** Of which Temporal is to follow. */
  tasks: string[];
  events: StoredEvent[];
}

export type AgentRepository = ReturnType<typeof createAgentRepository>;

/** Agents belong to the installation: who may read agents reads all of them. */
export function createAgentRepository({ em }: Database) {
  async function get(id: string, sql: Sql = em): Promise<Agent> {
    const [agent] = await rows<Agent>(
      sql,
      `select ${columns} from agents a where a.id = ? and not a.removed`,
      [id],
    );
    if (!agent) throw new AppError('not_found', `There is no agent ${id}.`);
    return agent;
  }

  /** @throws AppError `not_found` */
  async function locked(tx: Sql, id: string): Promise<Agent & { epoch: number }> {
    const [row] = await rows<{ epoch: string }>(
      tx,
      'select epoch from agents where id = ? and not removed for update',
      [id],
    );
    return { ...(await get(id, tx)), epoch: Number(row?.epoch) };
  }

  const saved = async (tx: Sql, id: string, { tasks, told }: WrittenTasks): Promise<SavedAgent> => ({
    agent: await get(id, tx),
    tasks,
    events: await appendEvents(tx, told),
  });

  return {
    get: (id: string): Promise<Agent> => get(id),

    async list(filter: AgentFilter): Promise<Agent[]> {
      const page = pageClause(filter, 'a.id');
      const wanted = [
        ...(filter.status === undefined ? [] : [{ where: `and ${shownStatus} = ?`, param: filter.status }]),
        ...(filter.host === undefined ? [] : [{ where: 'and a.host = ?', param: filter.host }]),
      ];
      return rows<Agent>(
        em,
        `select ${columns} from agents a where not a.removed ${wanted.map(({ where }) => where).join(' ')}
         ${page.where} ${page.tail}`,
        [...wanted.map(({ param }) => param), ...page.params],
      );
    },

    async create(
      user: Principal,
      agent: { name: string; type: string; host: string; configuration: AgentConfiguration },
      beside: BesideAgent,
    ): Promise<SavedAgent> {
      const id = uuidv7();
      return em.fork().transactional(async (tx) => {
        await tx.execute(
          `insert into agents (id, name, type, owner_id, host, configuration, desired, status, health_parts, created_at, updated_at)
         values (?, ?, ?, ?, ?, ?::json, 'stopped', 'stopped', ?::jsonb, now(), now())`,
          [id, agent.name, agent.type, user.userId, agent.host, json(agent.configuration), json(NO_HEALTH)],
        );
        return saved(tx, id, await beside(tx, { id, name: agent.name }));
      });
    },

    /** @throws AppError `not_found`, and what `change` does */
    update: (
      id: string,
      change: (current: Agent) => {
        name: string;
        type: string;
        host: string;
        configuration: AgentConfiguration;
      },
      beside: BesideAgent,
    ): Promise<SavedAgent> =>
      em.fork().transactional(async (tx) => {
        const current = await locked(tx, id);
        const { name, type, host, configuration } = change(current);
        await tx.execute(
          'update agents set name = ?, type = ?, host = ?, configuration = ?::json, updated_at = now() where id = ?',
          [name, type, host, json(configuration), id],
        );
        return saved(tx, id, await beside(tx, { id, name }));
      }),

    /**
     * Writes what is wanted of an agent, and the job that says what becomes of it. A start of one that runs, and a
     * stop of one that is stopped, are done already.
     * @param jobId of an order that may have been given before: then it is not given again
     * @throws AppError `not_found`
     */
    order: (
      user: Pick<Principal, 'userId'>,
      id: string,
      action: AgentAction,
      jobId: string = uuidv7(),
    ): Promise<OrderedAgent> =>
      em.fork().transactional(async (tx) => orderAgent(tx, user, await locked(tx, id), action, jobId)),

    /** From now on nobody finds it; its workflow stops it and deletes the row. @throws AppError `not_found` */
    remove: (
      id: string,
      beside: BesideAgent,
    ): Promise<{ epoch: number; events: StoredEvent[]; tasks: string[] }> =>
      em.fork().transactional(async (tx) => {
        const agent = await locked(tx, id);
        const epoch = agent.epoch + 1;
        await tx.execute(
          "update agents set removed = true, desired = 'stopped', epoch = ?, updated_at = now() where id = ?",
          [epoch, id],
        );
        const { tasks, told } = await beside(tx, agent);
        const deleted = agentEvent({ ...agent, desired: 'stopped' }, 'deleted');
        return { epoch, events: await appendEvents(tx, [...told, deleted]), tasks };
      }),

    /** Whether somebody may run code on a host, as it is now and not as their token says. */
    async mayRunOn({ userId }: Pick<Principal, 'userId'>, host: string): Promise<boolean> {
      const [user] = await rows<{
        role: Role;
        is_verified: boolean;
        granted_permissions: Permission[];
        granted: boolean;
      }>(
        em,
        `select role, is_verified, granted_permissions,
           exists (select 1 from host_grants g where g.user_id = u.id and g.host = ?) as granted
         from users u where id = ? and is_active`,
        [host, userId],
      );
      if (!user?.is_verified) return false;
      return user.granted || permissionsOf(user).has('neosyntis:workflows:execute_code');
    },
  };
}
