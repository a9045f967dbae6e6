import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { missingLogs } from '../../../db/myntrix/logs.ts';
import { applyProjection } from '../../../db/neosyntis/projection.ts';
import { createRunIntents, type OpenRun } from '../../../db/neosyntis/run-intents.ts';
import type { Database } from '../../../db/orm.ts';
import type { HostRepository } from '../../../db/system/hosts.ts';
import { topics } from '../../../domain/names.ts';
import { standardProblem } from '../../../domain/neosyntis/problems.ts';
import type { RunChange } from '../../../domain/neosyntis/projection.ts';
import type { Bus } from '../../../drivers/bus/port.ts';
import type { Logger } from '../../../logs.ts';
import { waitUntil } from '../../wait-until.ts';
import { createLogRequests } from '../neosyntis/log-requests.ts';
import { publishHostChange } from './host-events.ts';

export interface ReconcileDeps {
  database: Database;
  bus: Bus;
  hosts: HostRepository;
  client: Client;
  startRun(runId: string): Promise<void>;
  reconcileAccounts(): Promise<void>;
  log: Logger;
}

/** How long one pass goes on asking; the next one continues. */
const LOGS_WITHIN_MS = 10_000;

/** A row that was written this long ago and is not known to Temporal was never started. */
const NEVER_STARTED_AFTER_MS = 3_000;
const HOST_GONE_AFTER_MS = 12_000;

/** Sets right what PostgreSQL believes and Temporal or a host knows otherwise. All are idempotent. */
export function createReconcileActivities(deps: ReconcileDeps) {
  const { database, bus, hosts, client, log } = deps;
  const intents = createRunIntents(database);

  async function reconcileRun(run: OpenRun): Promise<void> {
    const found = await describe(client, run.id);
    if (found === undefined && run.status === 'pending') {
      log.warn({ runId: run.id }, 'starting a run that was never started');
      return deps.startRun(run.id);
    }
    const end = await endOf(client, run.id, found);
    if (!end) return;
    log.warn({ runId: run.id, status: end.status }, 'closing a run that Temporal ended otherwise');
    const endedAt = new Date().toISOString();
    const status = end.status === 'cancelled' ? 'cancelled' : 'unknown';
    const steps = (await intents.openSteps(run.id)).map((step) => ({
      step: { ...step, status, endedAt } as const,
    }));
    const projected = await applyProjection(database, {
      runId: run.id,
      // Whatever the run itself still sends comes too late.
      from: run.projected + 1,
      changes: [...steps, { run: { ...end, endedAt } }],
      progress: 0,
    });
    for (const frame of projected.frames) bus.publish(topics.run(run.id), frame);
    for (const event of projected.events) bus.publish(topics.events, event);
  }

  return {
    /** Starts runs that were never started and closes those that Temporal ended without telling. */
    async reconcileRuns(): Promise<void> {
      const open = await intents.open(NEVER_STARTED_AFTER_MS);
      const running = await runningIds(client);
      for (const run of open.filter(({ id }) => !running.has(id))) await reconcileRun(run);
    },

    /** Asks hosts again for what their steps printed and never arrived. */
    async reconcileLogs(): Promise<void> {
      const ask = createLogRequests(bus);
      await waitUntil(
        async () => {
          const missing = await missingLogs(database);
          missing.forEach(ask);
          return missing.length === 0;
        },
        LOGS_WITHIN_MS,
        300,
      );
    },

    reconcileAccounts: () => deps.reconcileAccounts(),

    /** Hosts that have not been heard of for too long are offline, whatever their last will said. */
    async expireHosts(): Promise<void> {
      for (const name of await hosts.expire(HOST_GONE_AFTER_MS))
        await publishHostChange({ database, bus }, name, 'offline');
    },
  };
}

export type ReconcileActivities = ReturnType<typeof createReconcileActivities>;

/** Visibility lags behind, so a run that is not listed is asked about by itself before anything is done. */
async function runningIds(client: Client): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const { workflowId } of client.workflow.list({
    query: "WorkflowType = 'neosyntisRun' AND ExecutionStatus = 'Running'",
    pageSize: 1000,
  }))
    ids.add(workflowId);
  return ids;
}

async function describe(client: Client, id: string): Promise<string | undefined> {
  try {
    return (await client.workflow.getHandle(id).describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** What a run's row becomes when Temporal says this of its workflow; nothing while it runs. */
async function endOf(client: Client, id: string, status: string | undefined): Promise<RunChange | undefined> {
  if (status === 'RUNNING' || status === 'CONTINUED_AS_NEW') return undefined;
  if (status === 'CANCELLED') return { status: 'cancelled' };
  // Rows from a backup may be older than what Temporal knows.
  if (status === 'COMPLETED')
    return { status: 'completed', output: await client.workflow.getHandle(id).result() };
  const what =
    status === undefined ? 'Temporal does not know this run any more' : `Temporal ended this run: ${status}`;
  return {
    status: 'failed',
    error: standardProblem('runtime', `${what}. What its open steps did is unknown.`),
  };
}
