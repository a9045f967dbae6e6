import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Static } from 'typebox';
import { createAgentSteps, type FoundAgent } from '../../../db/myntrix/agent-steps.ts';
import { createAgentRepository } from '../../../db/myntrix/agents.ts';
import type { Database } from '../../../db/orm.ts';
import { type AgentAction, agentUpdates } from '../../../domain/names.ts';
import type { ProblemKind } from '../../../domain/neosyntis/problems.ts';
import type { agentVerbArguments } from '../../../domain/neosyntis/verbs/agents.ts';
import type { Json } from '../../../domain/wire.ts';
import { tellAgent } from '../../../drivers/agents/tell.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';
import { derivedId } from '../neosyntis/derived-id.ts';
import { beating } from '../neosyntis/outbound/beating.ts';
import { verbFailure } from '../neosyntis/outbound/failures.ts';
import type { VerbCall, VerbImplementation } from '../neosyntis/verbs.ts';

const LOOK_FIRST_MS = 20;
const LOOK_EVERY_MS = 250;

export interface AgentVerbDeps {
  database: Database;
  bus: Bus;
  client: Client;
}

/** `agent.start`, `agent.stop` and `agent.restart`: an order as the API gives it, by the owner of the run. */
export function createAgentVerbs(deps: AgentVerbDeps): Record<string, VerbImplementation> {
  const steps = createAgentSteps(deps.database);
  const agents = createAgentRepository(deps.database);
  const publish = createNews(deps.bus).events;

  async function found(agent: string): Promise<FoundAgent> {
    const [one, ...others] = await steps.find(agent);
    if (!one) throw refused('configuration', `There is no agent "${agent}".`);
    if (others.length > 0)
      throw refused('configuration', `More than one agent is named "${agent}"; give the id of one.`);
    return one;
  }

  /** As the owner of the run may now. */
  async function requireRight(runId: string, action: AgentAction, { name, host }: FoundAgent) {
    const orderer = await steps.orderer(runId);
    if (!orderer?.mayOrder)
      throw refused('authorization', 'The owner of this run may not start and stop agents.');
    if (action !== 'stop' && !(await agents.mayRunOn(orderer, host)))
      throw refused(
        'authorization',
        `The agent "${name}" is code that runs on host "${host}", which the owner of this run may not run there.`,
      );
    return orderer;
  }

  async function carryOut(action: AgentAction, call: VerbCall, signal: AbortSignal): Promise<Json> {
    const { runId, path, iteration, attempt, args, timeoutMs } = call;
    const until = performance.now() + timeoutMs;
    const agent = await found((args as Static<typeof agentVerbArguments>).agent); // checked against it
    const orderer = await requireRight(runId, action, agent);
    const jobId = derivedId(runId, `${path} ${iteration.join('.')} ${attempt}`);
    const order = await agents.order(orderer, agent.id, action, jobId);
    publish(order.events);
    if (!order.isDone) await tellAgent(deps.client, agent.id, action, order.epoch);
    for (let pauseMs = LOOK_FIRST_MS; ; pauseMs = Math.min(LOOK_EVERY_MS, pauseMs * 1.5)) {
      const now = await steps.look(agent.id, jobId);
      if (!now) throw refused('runtime', `The agent "${agent.name}" was deleted meanwhile.`);
      if (now.job === 'completed')
        return { agent_id: agent.id, name: agent.name, status: now.status, pid: now.pid, job_id: jobId };
      if (now.job === 'failed')
        throw refused('runtime', `The agent "${agent.name}" does not run: ${now.reason ?? 'it has ended'}.`);
      if (now.job === 'cancelled')
        throw refused('runtime', `Somebody wanted something else of the agent "${agent.name}" meanwhile.`);
      if (performance.now() >= until)
        throw refused('timeout', `The agent "${agent.name}" is ${now.status} after ${timeoutMs / 1000} s.`);
      await delay(pauseMs, undefined, { signal });
    }
  }

  const actions = Object.keys(agentUpdates) as AgentAction[]; // its keys are the actions
  return Object.fromEntries(
    actions.map((action): [string, VerbImplementation] => [
      `agent.${action}`,
      (call) => beating((signal) => carryOut(action, call, signal)),
    ]),
  );
}

const refused = (kind: ProblemKind, detail: string) => verbFailure({ kind, detail });
