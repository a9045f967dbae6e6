import type { StoredEvent } from '../../domain/events.ts';
import type { AgentOrder, AgentReport, LastEnd } from '../../domain/myntrix/agent-reports.ts';
import type { Agent } from '../../domain/myntrix/agents.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { agentEvent, jobEvent } from './agent-events.ts';
import { shownStatus } from './agents.ts';

type Told = Pick<Agent, 'id' | 'name' | 'host' | 'status' | 'desired' | 'pid' | 'health' | 'restarts'> & {
  epoch: string;
  was: string;
  was_pid: number | null;
};

/** What an agent's workflow has to do, as the row says now. */
export interface WantedAgent extends AgentOrder {
  desired: Agent['desired'];
  host: string;
  removed: boolean;
  /** A host that was deleted never answers. */
  hostIsKnown: boolean;
  killTimeoutMs: number;
}

/** The workers' side of agents: what hosts and workflows say of them. */
export function createAgentReports({ em }: Pick<Database, 'em'>) {
  /** Ends the jobs that this state answers: those of older orders were overtaken. */
  async function endJobs(tx: Sql, agents: { id: string; epoch: number; status: string; reason?: string }[]) {
    const settled = agents.filter(({ status }) => ['running', 'stopped', 'error'].includes(status));
    if (settled.length === 0) return [];
    return rows<{ id: string; owner_id: string | null; status: string }>(
      tx,
      `update jobs j set status = case when (j.details->>'epoch')::bigint < x.epoch then 'cancelled'
           when x.status = 'error' or (x.status = 'stopped' and j.type <> 'agent_stop' and x.failed) then 'failed' else 'completed' end,
         progress = 100, updated_at = now(), ended_at = now(), started_at = coalesce(started_at, now()),
         details = case when x.reason is null then j.details else j.details || jsonb_build_object('reason', x.reason) end
       from jsonb_to_recordset(?::jsonb) as x(id text, epoch bigint, status text, reason text, failed boolean)
       where j.type in ('agent_start', 'agent_stop', 'agent_restart') and j.ended_at is null
         and j.details->>'agent_id' = x.id and (j.details->>'epoch')::bigint <= x.epoch
       returning j.id, j.owner_id, j.status`,
      [json(settled.map((agent) => ({ failed: false, ...agent })))],
    );
  }

  const tellAll = async (tx: Sql, changed: Told[], reasons: Map<string, string>): Promise<StoredEvent[]> => {
    const news = changed.filter((agent) => agent.was !== agent.status || agent.was_pid !== agent.pid);
    const ended = await endJobs(
      tx,
      changed.map(({ id, epoch, status }) => {
        const reason = reasons.get(id);
        return { id, epoch: Number(epoch), status, ...(reason === undefined ? {} : { reason }) };
      }),
    );
    return appendEvents(tx, [
      ...news.map((agent) => agentEvent(agent)),
      ...ended.map(({ id, owner_id, status }) => jobEvent({ id, ownerId: owner_id, status })),
    ]);
  };

  return {
    /**
     * Notes what a host says of its agents. What is of an older order, or came after something newer, or is of an
     * agent of another host, changes nothing; nor what tells the way to an end that its workflow has noted already.
     */
    apply: (host: string, reports: readonly AgentReport[]): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const changed = await rows<Told>(
          tx,
          `update agents a set status = x.status, pid = x.pid, started_at = x."startedAt",
             last_run = coalesce(x."startedAt", a.last_run), restarts = x.restarts, health = x.health,
             health_parts = x."healthParts", cpu_percent = x."cpuPercent", memory_bytes = x."memoryBytes",
             log_bytes = x."logBytes", last_end = coalesce(x."lastEnd", a.last_end),
             reported_epoch = x.epoch, reported_seq = x.seq,
             desired = case when x.status = 'stopped' then 'stopped' else a.desired end,
             updated_at = case when a.status <> x.status then now() else a.updated_at end
           from jsonb_to_recordset(?::jsonb) as x(id uuid, epoch bigint, seq bigint, status text, pid integer,
               "startedAt" timestamptz, restarts integer, health integer, "healthParts" jsonb,
               "cpuPercent" double precision, "memoryBytes" bigint, "logBytes" bigint, "lastEnd" jsonb),
             (select id, status, pid from agents where host = ? order by id for update) as b
           where a.id = x.id and b.id = a.id and a.host = ? and a.epoch = x.epoch
             and (x.epoch, x.seq) > (a.reported_epoch, a.reported_seq)
             and (a.status not in ('stopped', 'error') or x.status in ('stopped', 'error'))
           returning a.id, a.name, a.host, a.status, a.desired, a.pid, a.health, a.restarts, a.epoch,
             b.status as was, b.pid as was_pid`,
          [json(reports), host, host],
        );
        const reasons = reports.flatMap(({ id, status, lastEnd }) =>
          status === 'error' && lastEnd ? [[id, lastEnd.message] as const] : [],
        );
        return tellAll(tx, changed, new Map(reasons));
      }),

    /** What an agent's workflow is to bring about; from now on it knows of this order. */
    async take(id: string): Promise<WantedAgent | undefined> {
      const [found] = await rows<Omit<WantedAgent, 'epoch' | 'killTimeoutMs'> & { epoch: string }>(
        em,
        `update agents a set taken = epoch where id = ?
         returning id, name, epoch, configuration, desired, host, removed,
           exists (select 1 from hosts h where h.name = a.host) as "hostIsKnown"`,
        [id],
      );
      return (
        found && {
          ...found,
          epoch: Number(found.epoch),
          killTimeoutMs: found.configuration.killTimeoutMs ?? 5_000,
        }
      );
    },

    /** How an order ended, as its workflow knows it: what the host said of it may have been lost, or be on its way. */
    settle: (
      id: string,
      epoch: number,
      end: { kind: 'stopped' } | { kind: 'error'; reason: string; lastEnd?: LastEnd },
    ): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const status = end.kind;
        const changed = await rows<Told>(
          tx,
          `update agents a set status = ?::text, pid = null, started_at = null, health = 0, cpu_percent = 0, memory_bytes = 0,
             last_end = case when a.last_end is null or a.reported_epoch <> a.epoch or x.last_end->>'at' > a.last_end->>'at'
               then coalesce(x.last_end, a.last_end) else a.last_end end,
             desired = case when ?::text = 'stopped' then 'stopped' else a.desired end,
             updated_at = case when a.status <> ?::text then now() else a.updated_at end
           from (select id, status, pid from agents where id = ? for update) as b, (select ?::jsonb as last_end) as x
           where a.id = b.id and a.epoch = ?
           returning a.id, a.name, a.host, a.status, a.desired, a.pid, a.health, a.restarts, a.epoch,
             b.status as was, b.pid as was_pid`,
          [status, status, status, id, end.kind === 'error' && end.lastEnd ? json(end.lastEnd) : null, epoch],
        );
        return tellAll(tx, changed, new Map(end.kind === 'error' ? [[id, end.reason]] : []));
      }),

    /** When nothing is left of a removed one. */
    async forget(id: string): Promise<void> {
      await em.execute('delete from agents where id = ? and removed', [id]);
    },

    /** Agents that have something to be done or looked after by a workflow. */
    async held(olderThanMs: number): Promise<{ id: string; epoch: number }[]> {
      const found = await rows<{ id: string; epoch: string }>(
        em,
        `select id, epoch from agents where updated_at < now() - make_interval(secs => ?) and epoch > 0
           and (removed or (desired = 'running' and status <> 'error') or status in ('starting', 'stopping'))
         order by id`,
        [olderThanMs / 1_000],
      );
      return found.map(({ id, epoch }) => ({ id, epoch: Number(epoch) }));
    },

    /**
     * Agents whose workflow waits until a host ends them that was deleted meanwhile: it is never heard of again. A new
     * order has them look anew, and answers the jobs of the one that it stands for.
     */
    async freeOfDeletedHosts(olderThanMs: number): Promise<void> {
      await em.execute(
        `with freed as (
           update agents a set epoch = epoch + 1, updated_at = now()
           where desired = 'stopped' and taken = epoch and updated_at < now() - make_interval(secs => ?)
             and (removed or status in ('starting', 'running', 'stopping'))
             and not exists (select 1 from hosts h where h.name = a.host)
           returning id, epoch)
         update jobs j set details = jsonb_set(j.details, '{epoch}', to_jsonb(f.epoch)) from freed f
         where j.type in ('agent_start', 'agent_stop', 'agent_restart') and j.ended_at is null
           and j.details->>'agent_id' = f.id::text and (j.details->>'epoch')::bigint = f.epoch - 1`,
        [olderThanMs / 1_000],
      );
    },

    /** Agents whose workflow was not told of the newest order. */
    async untaken(olderThanMs: number): Promise<{ id: string; epoch: number }[]> {
      const found = await rows<{ id: string; epoch: string }>(
        em,
        `select id, epoch from agents where taken < epoch and updated_at < now() - make_interval(secs => ?)
         order by id limit 100`,
        [olderThanMs / 1_000],
      );
      return found.map(({ id, epoch }) => ({ id, epoch: Number(epoch) }));
    },
  };
}

export type AgentReportStore = ReturnType<typeof createAgentReports>;

/** What is told of a host's agents when it is lost, or is there again. */
export async function agentsOf(sql: Sql, host: string): Promise<Omit<Told, 'epoch' | 'was' | 'was_pid'>[]> {
  return rows(
    sql,
    `select a.id, a.name, a.host, ${shownStatus} as status, a.desired, a.pid, a.health, a.restarts from agents a
     where a.host = ? and a.status in ('running', 'starting', 'stopping') and not a.removed order by a.id`,
    [host],
  );
}
