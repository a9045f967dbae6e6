import { type Client, WorkflowNotFoundError } from '@temporalio/client';
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

/**
 * Lets a run's row follow a reset in Temporal, which ends one execution and begins another that takes over the history
 * up to a point. The row becomes what that history says, and the run is open again.
 */
export function createResets({ database, client, log }: { database: Database; client: Client; log: Logger }) {
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
    for (const { activityTaskScheduledEventAttributes: scheduled } of events ?? []) {
      if (scheduled?.activityType?.name !== 'project') continue;
      const [batch] = await decoded(scheduled.input?.payloads ?? []);
      changes.splice(batch.from - 1, changes.length, ...batch.changes);
      progress = batch.progress;
    }
    return { runId, from: 1, changes, progress };
  }

  /** What the workflow gave `project`. */
  async function decoded(payloads: Payload[]): Promise<[ProjectionBatch]> {
    const { payloadConverter, payloadCodecs } = client.options.loadedDataConverter;
    let plain = payloads;
    for (const codec of payloadCodecs.toReversed()) plain = await codec.decode(plain);
    return arrayFromPayloads(payloadConverter, plain) as [ProjectionBatch]; // as the activity is called
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
