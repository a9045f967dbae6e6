import { setTimeout as delay } from 'node:timers/promises';
import {
  type AgentLogAnswer,
  type AgentLogRequest,
  MESSAGE_AGENTS,
} from '../domain/myntrix/agent-reports.ts';
import { topics } from '../domain/names.ts';
import type { Agents } from '../drivers/agents/port.ts';
import type { Bus } from '../drivers/bus/port.ts';
import type { Logger } from '../logs.ts';
import { keepReporting } from './keep-reporting.ts';

/** What is told of an agent is at most so old; a message that the bus lost is made up for by the next. */
const EVERY_MS = 3_000;

/** How soon somebody who follows a log sees what is new. */
const LOOK_EVERY_MS = 50;

/** Tells how a host's agents are: at once what changes, and all of it every few seconds. */
export const reportAgents = (bus: Bus, host: string, agents: Agents): { stop(): void } =>
  keepReporting({
    bus,
    source: agents,
    everyMs: EVERY_MS,
    most: MESSAGE_AGENTS,
    send: (reports) => bus.publish(topics.hostAgents(host), { reports }),
  });

/** Answers with what agents printed, whether they run or not. */
export async function serveAgentLogs(bus: Bus, host: string, agents: Agents, log: Logger): Promise<void> {
  async function answer({ request, id, offset, limit, waitMs }: AgentLogRequest): Promise<AgentLogAnswer> {
    const until = performance.now() + waitMs;
    for (;;) {
      const found = await agents.readLog(id, offset, limit);
      if (!found) return { request, missing: true, offset: 0, nextOffset: 0, text: '', total: 0 };
      if (found.text !== '' || performance.now() >= until) return { request, ...found };
      await delay(LOOK_EVERY_MS);
    }
  }
  await bus.subscribe(topics.hostAgentLogRequests(host), (message) => {
    const asked = message as unknown as AgentLogRequest; // only the platform may publish on this topic
    answer(asked).then(
      (found) => bus.publish(topics.hostAgentLogs(host), found),
      (error: unknown) => log.warn({ err: error, agentId: asked.id }, 'what an agent printed cannot be read'),
    );
  });
}
