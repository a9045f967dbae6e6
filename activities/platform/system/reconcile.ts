import { Context, heartbeat } from '@temporalio/activity';
import { type Client, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { missingLogs } from '../../../db/myntrix/logs.ts';
import { unstartedBulks } from '../../../db/neosyntis/bulk.ts';
import { applyWhole } from '../../../db/neosyntis/projection.ts';
import { createRunIntents, type OpenRun } from '../../../db/neosyntis/run-intents.ts';
import type { Database } from '../../../db/orm.ts';
import type { HostRepository } from '../../../db/system/hosts.ts';
import { runUpdates, workflowTypes } from '../../../domain/names.ts';
import { standardProblem } from '../../../domain/neosyntis/problems.ts';
import type { RunChange } from '../../../domain/neosyntis/projection.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';
import { runningExecutions } from '../../../drivers/workflows/executions.ts';
import type { Logger } from '../../../logs.ts';
import { waitUntil } from '../../wait-until.ts';
import { createLogRequests } from '../neosyntis/log-requests.ts';
import type { Execution, Resets } from '../neosyntis/resets.ts';
import { publishHostChange } from './host-events.ts';

export interface ReconcileDeps {
  database: Database;
  bus: Bus;
  hosts: HostRepository;
  client: Client;
  resets: Resets;
  startRun(runId: string): Promise<void>;
  startCancels(jobId: string): Promise<void>;
  reconcileAccounts(): Promise<void>;
  /** Sends runs the events that they were never sent. */
  reconcileEvents(): Promise<void>;
  /** Tells agents' workflows of orders that they were never told of. */
  reconcileAgents(): Promise<void>;
  /** The same for devices. */
  reconcileDevices(): Promise<void>;
  /** Tells workflows of devices’ jobs that there is something to do. */
  reconcileDeviceJobs(): Promise<void>;
  /** Sets ticks of scheduled tasks right. */
  reconcileTasks(): Promise<void>;
  /** Tells people of runs, and of ticks. */
  sendNotifications(): Promise<void>;
  log: Logger;
}

/** How long one pass goes on asking; the next one continues. */
const LOGS_WITHIN_MS = 10_000;

/** A row that was written this long ago and is not known to Temporal was never started. */
const NEVER_STARTED_AFTER_MS = 3_000;
const HOST_GONE_AFTER_MS = 12_000;

/** A worker that computes takes an update late; the next pass asks again. */
const STEERED_WITHIN_MS = 1_000;

const HEARTBEAT_MS = 1_000;

/** Visibility may list a run as running for a while after it has ended. */
const LISTED_FOR_MS = 5_000;

/** Sets right what PostgreSQL believes and Temporal or a host knows otherwise. All are idempotent. */
export function createReconcileActivities(deps: ReconcileDeps) {
  const { database, bus, hosts, client, resets, log } = deps;
  const intents = createRunIntents(database);
  const publish = createNews(bus).run;

  /** A run whose row is open and that Temporal does not list as running. */
  async function reconcileOpen(run: OpenRun): Promise<void> {
    const found = await resets.current(run.id);
    if (found === undefined && run.status === 'pending' && run.parent === 'open') return; // it starts it
    if (found === undefined && run.status === 'pending' && run.parent === 'ended')
      return close(run, found, { status: 'cancelled' });
    if (found === undefined && run.status === 'pending') {
      log.warn({ runId: run.id }, 'starting a run that was never started');
      return deps.startRun(run.id);
    }
    const end = await endOf(client, run.id, found);
    if (end) await close(run, found, end);
  }

  /** Somebody asked for a pause or its end, and the word did not arrive; a run that is so already writes nothing. */
  async function steer({ id, pauseWanted }: OpenRun): Promise<void> {
    try {
      await client.withDeadline(Date.now() + STEERED_WITHIN_MS, () =>
        client.workflow.getHandle(id).executeUpdate(pauseWanted ? runUpdates.pause : runUpdates.resume),
      );
    } catch (error) {
      if (error instanceof WorkflowNotFoundError || error instanceof WorkflowUpdateFailedError) return;
      throw error;
    }
  }

  async function close(run: OpenRun, found: Execution | undefined, end: RunChange): Promise<void> {
    log.warn({ runId: run.id, status: end.status }, 'closing a run that Temporal ended otherwise');
    if (isReset(run, found)) publish(run.id, await resets.follow(run.id, found.id));
    // What the run sent before it ended may still arrive: then its steps are looked at once more.
    for (let isLate = true; isLate; ) isLate = await closeAt(run, found, end);
  }

  /** @returns whether the run told something meanwhile, and nothing was done. */
  async function closeAt(run: OpenRun, found: Execution | undefined, end: RunChange): Promise<boolean> {
    const from = (await intents.projected(run.id)) + 1;
    const endedAt = new Date().toISOString();
    const status = end.status === 'cancelled' ? 'cancelled' : 'unknown';
    const steps = (await intents.openSteps(run.id)).map((step) => ({
      step: { ...step, status, endedAt } as const,
    }));
    const changes = [...steps, { run: { ...end, endedAt } }];
    // Whatever the run itself still sends comes too late.
    const batch = { runId: run.id, from, changes, progress: 0 };
    const projected = await applyWhole(database, batch, found?.id ?? run.execution);
    if (projected) publish(run.id, projected);
    return projected === undefined;
  }

  /** The row tells of an execution that is over, while another one goes on. */
  async function followReset(run: { id: string; execution: string | null }): Promise<void> {
    const found = await resets.current(run.id);
    if (found?.status === 'RUNNING' && found.id !== run.execution)
      publish(run.id, await resets.follow(run.id, found.id));
  }

  /** What is wrong with one run (an output that cannot be read any more) holds up no other one. */
  async function separately(runId: string, work: () => Promise<void>): Promise<void> {
    // A pass whose time is over is followed by another; with a server away each of many runs would fail.
    Context.current().cancellationSignal.throwIfAborted();
    try {
      await work();
    } catch (error) {
      log.error({ err: error, runId }, 'a run cannot be set right now');
    }
  }

  return {
    /**
     * Starts runs that were never started, closes those that Temporal ended without telling, and follows those
     * that were reset there.
     */
    reconcileRuns: beating(async () => {
      for (const jobId of await unstartedBulks(database, NEVER_STARTED_AFTER_MS))
        await separately(jobId, () => deps.startCancels(jobId));
      const open = await intents.open(NEVER_STARTED_AFTER_MS);
      const running = await runningExecutions(client, workflowTypes.run);
      for (const run of open) {
        const execution = running.get(run.id);
        if (execution === undefined) await separately(run.id, () => reconcileOpen(run));
        else if (run.execution !== null && run.execution !== execution)
          await separately(run.id, () => followReset(run));
        if (execution !== undefined && isUnsteered(run)) await separately(run.id, () => steer(run));
      }
      for (const run of await intents.endedAmong([...running.keys()], LISTED_FOR_MS))
        if (run.execution !== running.get(run.id)) await separately(run.id, () => followReset(run));
      // Those that were started just now are sent what waited for them.
      await deps.reconcileEvents();
      await deps.reconcileAgents();
      await deps.reconcileDevices();
      await deps.reconcileDeviceJobs();
      await deps.reconcileTasks();
    }),

    /** Asks hosts again for what their steps printed and never arrived. */
    reconcileLogs: beating(async () => {
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
    }),

    reconcileAccounts: beating(() => deps.reconcileAccounts()),

    sendNotifications: beating(() => deps.sendNotifications()),

    /** Hosts that have not been heard of for too long are offline, whatever their last will said. */
    expireHosts: beating(async () => {
      for (const name of await hosts.expire(HOST_GONE_AFTER_MS))
        await publishHostChange({ database, bus }, name, 'offline');
    }),
  };
}

export type ReconcileActivities = ReturnType<typeof createReconcileActivities>;

/** A worker that dies in the middle is missed within seconds, and the next pass is not held up. */
const beating = (work: () => Promise<void>) => async (): Promise<void> => {
  const beat = setInterval(() => heartbeat(), HEARTBEAT_MS);
  try {
    await work();
  } finally {
    clearInterval(beat);
  }
};

const isUnsteered = ({ status, pauseWanted }: OpenRun) =>
  pauseWanted !== null && pauseWanted !== (status === 'paused');

const isReset = (run: OpenRun, found: Execution | undefined): found is Execution =>
  found !== undefined && run.execution !== null && run.execution !== found.id;

/** What a run's row becomes when Temporal says this of its workflow; nothing while it runs. */
async function endOf(
  client: Client,
  id: string,
  found: Execution | undefined,
): Promise<RunChange | undefined> {
  const status = found?.status;
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
