import { v7 as uuidv7 } from 'uuid';
import { PLATFORM_QUEUE } from '../../domain/names.ts';
import type { RunInput } from '../../workflows/neosyntis/runs.ts';
import { until } from './client.ts';
import type { World } from './world.ts';

/**
 * Runs a run's workflow once more, as another run with its input, in legs of so many tasks: rows as the trigger writes
 * them, and Temporal's workflow.
 * @returns the other run's id
 */
export async function runInLegs(world: World, runId: string, legTasks: number): Promise<string> {
  const id = uuidv7();
  const [input] = await world.sql<RunInput>(
    `select r.workflow_id as "workflowId", r.version, r.input, v.document from runs r
     join workflow_versions v on v.workflow_id = r.workflow_id and v.version = r.version where r.id = ?`,
    [runId],
  );
  if (!input) throw new Error(`there is no run ${runId}`);
  await world.sql(
    `insert into jobs (id, type, name, owner_id, status, details, created_at, updated_at)
     select ?, type, name, owner_id, 'pending', details, now(), now() from jobs where id = ?`,
    [id, runId],
  );
  await world.sql(
    `insert into runs (id, workflow_id, version, started_by, input)
     select ?, workflow_id, version, started_by, input from runs where id = ?`,
    [id, runId],
  );
  await world.temporal.workflow.start('neosyntisRun', {
    workflowId: id,
    taskQueue: PLATFORM_QUEUE,
    args: [{ ...input, legTasks }],
  });
  return id;
}

/** Temporal's id of the first execution of a run that has gone on in others. */
export async function firstLeg({ temporal }: World, workflowId: string): Promise<string> {
  const { runId } = await temporal.workflow.getHandle(workflowId).describe();
  const { history } = await temporal.workflowService.getWorkflowExecutionHistory({
    namespace: temporal.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
  return started?.firstExecutionRunId ?? '';
}

/**
 * Makes an execution's history so long that the server suggests another: that is from 4 MiB on. A signal is an event,
 * and the workflows have none of this name. They are taken one by one: more than 2 MB that wait for the worker fail
 * its task, and 50 MB end the execution.
 */
export async function goOnInAnother({ temporal }: World, workflowId: string): Promise<void> {
  const handle = temporal.workflow.getHandle(workflowId);
  const { runId: first } = await handle.describe();
  await until(
    async () => {
      await handle.signal('nothing', 'x'.repeat(500_000));
      const { runId } = await until(
        () => handle.describe(),
        ({ raw }) => !raw.pendingWorkflowTask,
        60_000,
      );
      return runId;
    },
    (runId) => runId !== first,
    60_000,
  );
}

/** How many executions Temporal needed for a run, the first included. */
export async function countLegs(world: World, workflowId: string): Promise<number> {
  let { runId } = await world.temporal.workflow.getHandle(workflowId).describe();
  for (let count = 1; ; count++) {
    const { history } = await world.temporal.workflowService.getWorkflowExecutionHistory({
      namespace: world.temporal.options.namespace,
      execution: { workflowId, runId },
      maximumPageSize: 1,
    });
    const before = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId;
    if (!before) return count;
    runId = before;
  }
}
