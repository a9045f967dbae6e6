import { type Client, type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import { arrayFromPayloads, type Payload } from '@temporalio/common';
import { continueRun, rebuildRun } from '../../../db/neosyntis/projection.ts';
import type { Projected } from '../../../db/neosyntis/projection-statement.ts';
import { createRunIntents } from '../../../db/neosyntis/run-intents.ts';
import type { Database } from '../../../db/orm.ts';
import type { ProjectionBatch } from '../../../domain/neosyntis/projection.ts';
import type { Logger } from '../../../logs.ts';

export interface Execution {
  /** Temporal's id of it. */
  id: string;
  status: string;
}

/** A batch holds less; with a large output in it, some more. */
const BATCH_LIMIT_BYTES = 32 * 1024 * 1024;

export interface ResetDeps {
  database: Database;
  client: Client;
  /** Opens sealed payloads and fetches large ones. */
  decode(payloads: Payload[], limitBytes: number): Promise<Payload[]>;
  log: Logger;
}

type HistoryEvent = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];

/** The batch that an event holds: what `project` was given, or what `tell` gave back. */
function batchOf({
  activityTaskScheduledEventAttributes: scheduled,
  markerRecordedEventAttributes: marker,
}: HistoryEvent): Payload[] | undefined {
  if (scheduled?.activityType?.name === 'project') return scheduled.input?.payloads ?? undefined;
  const about = marker?.details?.data?.payloads?.[0]?.data;
  // A local activity's marker, as the SDK's core writes it.
  const isTold = about && new TextDecoder().decode(about).includes('"activity_type":"tell"');
  return isTold ? (marker?.details?.result?.payloads ?? undefined) : undefined;
}

/**
 * Lets a run's row follow a reset in Temporal, which ends one execution and begins another that takes over the history
 * up to a point. The row becomes what that history says, with those of the executions that it continues, and the run
 * is open again.
 */
export function createResets({ database, client, decode, log }: ResetDeps) {
  const intents = createRunIntents(database);

  /** What Temporal knows under a run's id now: the execution that counts. */
  async function current(runId: string): Promise<Execution | undefined> {
    try {
      const { runId: id, status } = await client.workflow.getHandle(runId).describe();
      return { id, status: status.name };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  /** An execution and those before it which it continues, latest first, as far back as Temporal knows them. */
  async function* way(workflowId: string, execution: string): AsyncGenerator<string> {
    for (let runId: string | undefined = execution; runId; runId = await before(workflowId, runId))
      yield runId;
  }

  /** The execution that this one continues. */
  async function before(workflowId: string, runId: string): Promise<string | undefined> {
    const { history } = await client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution: { workflowId, runId },
      maximumPageSize: 1,
    });
    const [started] = history?.events ?? [];
    return started?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? undefined;
  }

  /** Whether the row is ahead of what was seen of Temporal: the run has gone on in a later execution meanwhile. */
  async function continues(runId: string, known: string, execution: string): Promise<boolean> {
    for await (const one of way(runId, known)) if (one === execution) return true;
    return false;
  }

  /** All changes that a run has sent, or is sending, as the histories have them. */
  async function told(runId: string, executions: string[]): Promise<ProjectionBatch> {
    const all: ProjectionBatch = { runId, from: 1, changes: [], progress: 0 };
    let isFirst = true;
    for (const execution of executions) {
      const { events } = await client.workflow.getHandle(runId, execution).fetchHistory();
      for (const event of events ?? []) {
        const payloads = batchOf(event);
        if (!payloads) continue;
        const [batch] = await decoded(payloads);
        // What was told before the oldest history that there is stays as it is.
        if (isFirst) all.from = batch.from;
        isFirst = false;
        all.changes.splice(batch.from - all.from, all.changes.length, ...batch.changes);
        all.progress = batch.progress;
      }
    }
    return all;
  }

  async function decoded(payloads: Payload[]): Promise<[ProjectionBatch]> {
    const { payloadConverter } = client.options.loadedDataConverter;
    return arrayFromPayloads(payloadConverter, await decode(payloads, BATCH_LIMIT_BYTES)) as [
      ProjectionBatch,
    ]; // what both activities have
  }

  return {
    current,
    /**
     * Makes the row tell of this execution: a long run goes on in one after the other, and there is nothing to do but
     * to say so; otherwise there was a reset.
     * @returns what to publish.
     */
    async follow(runId: string, execution: string): Promise<Projected> {
      const known = await intents.execution(runId);
      const executions: string[] = [];
      for await (const one of way(runId, execution)) {
        if (one === known) {
          await continueRun(database, runId, { from: one, to: execution });
          return { frames: [], events: [] };
        }
        executions.unshift(one);
      }
      if (known !== null && (await continues(runId, known, execution))) return { frames: [], events: [] };
      log.warn({ runId, execution }, 'the run was reset in Temporal; its row follows');
      const batch = await told(runId, executions);
      // The history up to a reset may be older than what the run said first.
      if (batch.changes.length === 0) batch.changes.push({ run: { status: 'running' } });
      return rebuildRun(database, batch, { from: known, to: execution });
    },
  };
}

export type Resets = ReturnType<typeof createResets>;
