import type { Client } from '@temporalio/client';
import type { LookedAt, TaskReconciliation } from '../../../db/myntrix/task-reconcile.ts';
import { taskRunId, tickOfTaskRun, workflowTypes } from '../../../domain/names.ts';
import { cancelTaskRun, startTaskRun } from '../../../drivers/schedules/task-runs.ts';
import { runningExecutions, statusOf } from '../../../drivers/workflows/executions.ts';
import type { Logger } from '../../../logs.ts';
import type { createTaskActivities } from './tasks.ts';

export interface TaskReconcilerDeps {
  client: Client;
  rows: TaskReconciliation;
  tasks: Pick<ReturnType<typeof createTaskActivities>, 'runEnded'> & {
    activities: Pick<ReturnType<typeof createTaskActivities>['activities'], 'endTask'>;
  };
  log: Logger;
}

/** What was written this long ago and Temporal does not list was never started, or has ended without a word. */
const SETTLED_MS = 3_000;
/** Visibility may list one as running for a while after it has ended. */
const LISTED_FOR_MS = 5_000;

/** Sets ticks of tasks right: those that never began, ended without a word, wait for nobody, or never came. */
export function createTaskReconciler({ client, rows, tasks, log }: TaskReconcilerDeps) {
  /** One of which nothing goes on in Temporal, as far as it is listed. */
  async function setRight(tick: LookedAt): Promise<void> {
    const { id, status, attempt, run } = tick;
    if (run === 'open') return; // a run has a reconciler of its own
    if (run === 'ended' && tick.runId !== null) {
      log.warn({ taskRunId: id }, 'an attempt of a tick has ended and nobody said so');
      return tasks.runEnded(id, tick.runId);
    }
    const found = await statusOf(client, taskRunId(id, Math.max(1, attempt)));
    if (found === 'RUNNING') return;
    if (status === 'pending' && (found === undefined || found === 'COMPLETED')) {
      log.warn({ taskRunId: id }, 'beginning a tick that never began');
      return startTaskRun(client, id);
    }
    log.warn({ taskRunId: id, found }, 'closing a tick that Temporal ended otherwise');
    const end = found === 'CANCELLED' ? 'cancelled' : 'failed';
    await tasks.activities.endTask(id, end, `Temporal ended it: ${found ?? 'it is not known there'}.`);
  }

  return async (): Promise<void> => {
    for (const id of await rows.release()) await startTaskRun(client, id);
    const open = await rows.open(SETTLED_MS);
    const running = new Set(
      [...(await runningExecutions(client, workflowTypes.taskRun)).keys()].map(tickOfTaskRun),
    );
    for (const tick of open)
      try {
        if (tick.cancelAsked) await cancelTaskRun(client, tick);
        if (!running.has(tick.id)) await setRight(tick);
      } catch (error) {
        // What is wrong with one holds up no other one.
        log.error({ err: error, taskRunId: tick.id }, 'a tick cannot be set right now');
      }
    for (const left of await rows.leftOver([...running], LISTED_FOR_MS)) await cancelTaskRun(client, left);
    const missed = await rows.noteMissed();
    if (missed > 0) log.warn({ missed }, 'ticks of tasks were missed');
  };
}
