import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import type { AgentConfiguration } from '../../domain/myntrix/agent-configuration.ts';
import type { AgentOrder, AgentReport } from '../../domain/myntrix/agent-reports.ts';
import { type AgentsOptions, createAgents } from '../../drivers/agents/agents.ts';
import type { AgentEnd, Agents } from '../../drivers/agents/port.ts';
import { ensureRunAsUser } from '../../drivers/processes/run-as.ts';

export const PATH = process.env.PATH ?? '/usr/bin:/bin';
export const user = process.getuid?.() === 0 ? await ensureRunAsUser('vareon-run') : undefined;

export const openAgents = (
  dataDir: string,
  more: Pick<AgentsOptions, 'containers' | 'boot'> = {},
): Promise<Agents> =>
  createAgents({
    ...more,
    dataDir,
    hostName: 'test',
    user,
    hostEnvironment: { PATH },
    warn: (message, error) => {
      throw new Error(message, { cause: error });
    },
  });

export interface AgentRig {
  agents: Agents;
  dataDir: string;
  start(configuration: AgentConfiguration): { order: AgentOrder; ended: Promise<AgentEnd> };
  /** Waits until what is said of an agent is as wanted. */
  until(id: string, done: (report: AgentReport) => boolean): Promise<AgentReport>;
  /** All that it printed. */
  log(id: string): Promise<string>;
  close(): Promise<void>;
}

export const shell = (script: string): AgentConfiguration => ({ command: '/bin/sh', args: ['-c', script] });

export async function createAgentRig(
  dataDir = mkdtempSync(join(tmpdir(), 'agents-test-')),
): Promise<AgentRig> {
  const agents = await openAgents(dataDir);
  const never = new AbortController().signal;
  let epoch = 0;
  return {
    agents,
    dataDir,
    start(configuration) {
      const order = { id: uuidv7(), name: 'test', epoch: ++epoch, configuration };
      return { order, ended: agents.supervise(order, never) };
    },
    until: (id, done) => untilReport(agents, id, done),
    log: async (id) => (await agents.readLog(id, 0, 1_000_000))?.text ?? '',
    async close() {
      for (const { id, epoch: known } of agents.reports()) {
        await agents.stop({ id, epoch: known + 1 });
        await agents.forget(id);
      }
      agents.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export async function untilReport(
  agents: Agents,
  id: string,
  done: (report: AgentReport) => boolean,
): Promise<AgentReport> {
  const limit = performance.now() + 60_000;
  for (;;) {
    const report = agents.reports().find((one) => one.id === id);
    if (report && done(report)) return report;
    if (performance.now() > limit) throw new Error(`still ${JSON.stringify(report)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
