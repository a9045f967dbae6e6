import {
  ActivityCancellationType,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineUpdate,
  isCancellation,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { AgentHostActivities } from '../../activities/host/myntrix/agents.ts';
import type { AgentActivities } from '../../activities/platform/myntrix/agents.ts';
import { agentsQueue, agentUpdates } from '../../domain/names.ts';
import { isStale } from './holding.ts';

/** Cheap and idempotent, tried until the database is back. */
const { takeAgent, settleAgent, forgetAgentRow } = proxyActivities<AgentActivities>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '5 seconds' },
});

type Wanted = NonNullable<Awaited<ReturnType<AgentActivities['takeAgent']>>>;

export interface AgentLifecycleInput {
  agentId: string;
  /** The newest order that was taken; the one after a continue-as-new is taken again, which changes nothing. */
  taken: number;
}

/**
 * One agent, from its first order until it is deleted. What is wanted is in its row, numbered; the updates only say
 * that there is something new. A host never follows an order that is older than one that it knows.
 */
export async function agentLifecycle({ agentId, taken }: AgentLifecycleInput): Promise<void> {
  let told = taken;
  let known = taken === 0 ? 0 : -1;
  let isHeld = false;
  let shed = () => {};
  for (const update of Object.values(agentUpdates))
    setHandler(defineUpdate<void, [number]>(update), (epoch) => {
      told = Math.max(told, epoch);
    });
  if (taken === 0) await condition(() => told > 0);

  for (;;) {
    const wanted = await takeAgent(agentId);
    if (wanted === null) return;
    known = wanted.epoch;
    told = Math.max(told, known);
    shed();
    if (wanted.desired === 'running') hold(wanted);
    else if (await bringDown(wanted)) {
      if (wanted.removed) return forgetAgentRow(agentId);
    }
    await condition(() => told > known || (workflowInfo().continueAsNewSuggested && allHandlersFinished()));
    if (told > known) continue;
    await condition(allHandlersFinished);
    if (isHeld) shed(); // the process goes on; the next execution looks at it
    await continueAsNew<typeof agentLifecycle>({ agentId, taken: known });
  }

  /** Has the host run it, for as long as it does. The host that lost its worker is asked again by Temporal. */
  function hold(wanted: Wanted): void {
    const scope = new CancellationScope();
    shed = () => scope.cancel();
    isHeld = true;
    scope
      .run(async () => {
        const end = await onHost(wanted).superviseAgent(orderOf(wanted));
        await CancellationScope.nonCancellable(() => settleAgent(agentId, wanted.epoch, end));
      })
      .catch((error: unknown) => {
        if (isCancellation(error) || isStale(error)) return undefined; // a newer order is on its way
        const reason = error instanceof Error ? error.message : String(error);
        return settleAgent(agentId, wanted.epoch, { kind: 'error', reason });
      })
      .finally(() => {
        if (known === wanted.epoch) isHeld = false;
      });
  }

  /** Ends it on its host, however long that is away, unless something newer is wanted. @returns whether it did. */
  async function bringDown(wanted: Wanted): Promise<boolean> {
    const scope = new CancellationScope();
    const isOver = wanted.hostIsKnown
      ? scope
          .run(async () => {
            const host = onHost(wanted);
            await host.stopAgent({ id: agentId, epoch: wanted.epoch });
            if (wanted.removed) await host.forgetAgent(agentId);
          })
          .then(
            () => true,
            (error: unknown) => {
              if (isCancellation(error) || isStale(error)) return false;
              throw error;
            },
          )
      : Promise.resolve(true); // a host that was deleted is not let in any more
    const isDone = await Promise.race([isOver, condition(() => told > wanted.epoch).then(() => undefined)]);
    if (isDone === undefined) {
      scope.cancel();
      await isOver;
      return false;
    }
    if (isDone) await settleAgent(agentId, wanted.epoch, { kind: 'stopped' });
    return isDone;
  }
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
