import { type Client, type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import { arrayFromPayloads, type Payload } from '@temporalio/common';
import { type Projected, rebuildRun } from '../../../db/neosyntis/projection.ts';
import type { Database } from '../../../db/orm.ts';
import type { Change, ProjectionBatch } from '../../../domain/neosyntis/projection.ts';
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
 * up to a point. The row becomes what that history says, and the run is open again.
 */
export function createResets({ database, client, decode, log }: ResetDeps) {
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

  /** All changes that an execution has sent, or is sending, as its history has them. */
  async function told(runId: string, execution: string): Promise<ProjectionBatch> {
    const { events } = await client.workflow.getHandle(runId, execution).fetchHistory();
    const changes: Change[] = [];
    let progress = 0;
    for (const event of events ?? []) {
      const payloads = batchOf(event);
      if (!payloads) continue;
      const [batch] = await decoded(payloads);
      changes.splice(batch.from - 1, changes.length, ...batch.changes);
      progress = batch.progress;
    }
    return { runId, from: 1, changes, progress };
  }

  async function decoded(payloads: Payload[]): Promise<[ProjectionBatch]> {
    const { payloadConverter } = client.options.loadedDataConverter;
    return arrayFromPayloads(payloadConverter, await decode(payloads, BATCH_LIMIT_BYTES)) as [
      ProjectionBatch,
    ]; // what both activities have
  }

  return {
    current,
    /** @returns what to publish. */
    async follow(runId: string, execution: string): Promise<Projected> {
      log.warn({ runId, execution }, 'the run was reset in Temporal; its row follows');
      const batch = await told(runId, execution);
      // The history up to a reset may be older than what the run said first.
      if (batch.changes.length === 0) batch.changes.push({ run: { status: 'running' } });
      return rebuildRun(database, batch, execution);
    },
  };
}

export type Resets = ReturnType<typeof createResets>;
