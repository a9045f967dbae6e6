import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { TaskAttempts } from '../../../db/myntrix/task-attempts.ts';
import type { OpenTick, TaskReconciliation } from '../../../db/myntrix/task-reconcile.ts';
import type { StoredEvent } from '../../../domain/events.ts';
import { workflowTypes } from '../../../domain/names.ts';
import { cancelTaskRun, startTaskRun } from '../../../drivers/schedules/task-runs.ts';
import type { Logger } from '../../../logs.ts';

export interface TaskReconcilerDeps {
  client: Client;
  rows: TaskReconciliation;
  attempts: TaskAttempts;
  publish(events: readonly StoredEvent[]): void;
  log: Logger;
}

/** What was written this long ago and Temporal does not list was never started, or has ended without a word. */
const SETTLED_MS = 3_000;
/** Visibility may list one as running for a while after it has ended. */
const LISTED_FOR_MS = 5_000;

/** Sets ticks of tasks right: those that never began, ended without a word, wait for nobody, or never came. */
export function createTaskReconciler({ client, rows, attempts, publish, log }: TaskReconcilerDeps) {
  async function setRight({ id, status }: OpenTick): Promise<void> {
    const found = await statusOf(client, id);
    if (found === 'RUNNING') return;
    if (found === undefined && status === 'pending') {
      log.warn({ taskRunId: id }, 'beginning a tick that never began');
      await startTaskRun(client, id);
      return;
    }
    log.warn({ taskRunId: id, found }, 'closing a tick that Temporal ended otherwise');
    const end = found === 'CANCELLED' ? 'cancelled' : 'failed';
    const { begin, events } = await attempts.end(
      id,
      end,
      `Temporal ended it: ${found ?? 'it is not known there'}.`,
    );
    publish(events);
    for (const next of begin) await startTaskRun(client, next);
  }

  return async (): Promise<void> => {
    for (const id of await rows.release()) await startTaskRun(client, id);
    const open = await rows.open(SETTLED_MS);
    const running = await runningTicks(client);
    for (const tick of open)
      if (!running.has(tick.id))
        await setRight(tick).catch((error: unknown) =>
          // What is wrong with one holds up no other one.
          log.error({ err: error, taskRunId: tick.id }, 'a tick cannot be set right now'),
        );
    for (const id of await rows.endedAmong([...running], LISTED_FOR_MS)) await cancelTaskRun(client, id);
    const missed = await rows.noteMissed();
    if (missed > 0) log.warn({ missed }, 'ticks of tasks were missed');
  };
}

async function runningTicks(client: Client): Promise<Set<string>> {
  const found = new Set<string>();
  const query = `WorkflowType = '${workflowTypes.taskRun}' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId } of client.workflow.list({ query, pageSize: 1_000 })) found.add(workflowId);
  return found;
}

async function statusOf(client: Client, id: string): Promise<string | undefined> {
  try {
    return (await client.workflow.getHandle(id).describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
