import { ActivityCancellationType, continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { AgentHostActivities } from '../../activities/host/myntrix/agents.ts';
import type { AgentActivities } from '../../activities/platform/myntrix/agents.ts';
import { agentsQueue, agentUpdates } from '../../domain/names.ts';
import { followOrders, type Order } from './holding.ts';

/** Cheap and idempotent, tried until the database is back. */
const { takeAgent, settleAgent, forgetAgentRow } = proxyActivities<AgentActivities>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '5 seconds' },
});

type Wanted = NonNullable<Awaited<ReturnType<AgentActivities['takeAgent']>>>;
type Outcome = Parameters<AgentActivities['settleAgent']>[2];

export interface AgentLifecycleInput {
  agentId: string;
  /** The newest order that was taken; the one after a continue-as-new is taken again, which changes nothing. */
  taken: number;
}

/**
 * One agent, from its first order until it is deleted. A host never follows an order that is older than one that it
 * knows.
 */
export async function agentLifecycle({ agentId, taken }: AgentLifecycleInput): Promise<void> {
  await followOrders<Wanted & Order, Outcome>({
    updates: agentUpdates,
    taken,
    async take() {
      const wanted = await takeAgent(agentId);
      return wanted && { ...wanted, isHeld: wanted.desired === 'running' };
    },
    hold: (wanted) => onHost(wanted).superviseAgent(orderOf(wanted)),
    async release(wanted) {
      const host = onHost(wanted);
      await host.stopAgent({ id: agentId, epoch: wanted.epoch });
      if (wanted.removed) await host.forgetAgent(agentId);
    },
    released: { kind: 'stopped' },
    settle: (epoch, end) => settleAgent(agentId, epoch, end),
    forget: () => forgetAgentRow(agentId),
    goOn: (last) => continueAsNew<typeof agentLifecycle>({ agentId, taken: last }),
  });
}

const orderOf = ({ id, name, epoch, configuration }: Wanted) => ({ id, name, epoch, configuration });

function onHost({ host, killTimeoutMs }: Wanted) {
  const { superviseAgent } = proxyActivities<AgentHostActivities>({
    taskQueue: agentsQueue(host),
    // As long as the agent runs; cancelling it is only letting go. The next life of a host that died says so itself.
    startToCloseTimeout: '3650 days',
    heartbeatTimeout: '30 seconds',
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { initialInterval: '100 milliseconds', backoffCoefficient: 1.5, maximumInterval: '5 seconds' },
  });
  const { stopAgent, forgetAgent } = proxyActivities<AgentHostActivities>({
    taskQueue: agentsQueue(host),
    startToCloseTimeout: killTimeoutMs + 30_000,
    heartbeatTimeout: '3 seconds',
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { initialInterval: '200 milliseconds', maximumInterval: '5 seconds' },
  });
  return { superviseAgent, stopAgent, forgetAgent };
}
