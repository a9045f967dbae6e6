import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import proto from '@temporalio/proto';
import { v7 as uuidv7 } from 'uuid';
import type { RunRepository } from '../../db/neosyntis/runs.ts';
import type { WorkflowRepository } from '../../db/neosyntis/workflows.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import { PLATFORM_QUEUE, workflowTypes } from '../../domain/names.ts';
import { isEnded, type RunSummary } from '../../domain/neosyntis/runs.ts';
import { turnLimitMs } from '../../domain/neosyntis/turn.ts';
import type { Json } from '../../domain/wire.ts';
import type { Logger } from '../../logs.ts';
import type { neosyntisRun } from '../../workflows/neosyntis/runs.ts';
import type { Temporal } from '../temporal/client.ts';
import { requireCode } from './definitions.ts';

export interface TriggerDeps {
  workflows: WorkflowRepository;
  runs: RunRepository;
  temporal: Temporal;
  publish(events: readonly StoredEvent[]): void;
  log: Logger;
}

export interface Trigger {
  workflowId: string;
  version?: number;
  input: Json;
  idempotencyKey: string;
}

/** Starts runs: the row first, then the Temporal workflow that has the row's id. */
export function createTrigger(deps: TriggerDeps) {
  const { workflows, runs, temporal } = deps;

  /** A start that fails or takes too long is left to the reconciler: the row says that it is wanted. */
  async function start(runId: string, args: Parameters<typeof neosyntisRun>, name: string): Promise<void> {
    try {
      await temporal.call((client) =>
        client.workflow.start<typeof neosyntisRun>(workflowTypes.run, {
          workflowId: runId,
          taskQueue: PLATFORM_QUEUE,
          args,
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          workflowTaskTimeout: turnLimitMs(args[0].document),
          staticSummary: name,
        }),
      );
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return; // the reconciler was faster
      deps.log.warn({ err: error, runId }, 'not started now; the reconciler starts it');
    }
  }

  return {
    /**
     * @returns the run, which is durable: should Temporal be lost in this moment, it starts later.
     * @throws AppError `not_found`, `forbidden`, `invalid`; `unavailable` when Temporal is away, with nothing
     *   written. Who loses the answer, or the database in the commit, repeats with the same Idempotency-Key.
     */
    async trigger(user: Principal, { workflowId, version, input, idempotencyKey }: Trigger): Promise<string> {
      // Both at once: each is a round trip.
      const [workflow] = await Promise.all([
        workflows.version(user, workflowId, version),
        temporal.ensureUp(),
      ]);
      requireCode(user, workflow.usesCode);
      const id = uuidv7();
      const created = await runs.create({
        id,
        workflow,
        input,
        startedBy: user.userId,
        ...(idempotencyKey
          ? { idempotency: claim(user, id, workflowId, idempotencyKey, { input, version }) }
          : {}),
      });
      if (!created.isNew) return created.id;
      deps.publish(created.events);
      const { document } = workflow;
      await start(id, [{ workflowId, version: workflow.version, document, input }], workflow.name);
      return id;
    },

    /** The run when it has ended, or as it is when the time is up or the client has gone. */
    async waitForEnd(
      user: Principal,
      runId: string,
      seconds: number,
      signal: AbortSignal,
    ): Promise<RunSummary> {
      const deadline = Date.now() + seconds * 1000;
      for (;;) {
        const left = deadline - Date.now();
        const hasEnded = left > 0 && (await ended(temporal.client, runId, Math.min(left, 20_000)));
        const run = await runs.summary(user, runId);
        if (isEnded(run.status) || Date.now() >= deadline || signal.aborted) return run;
        // A run that has closed is readable, but for one that was terminated: the reconciler closes its row.
        await delay(Math.min(hasEnded ? 250 : 200, deadline - Date.now()));
      }
    },
  };
}

const CLOSE_EVENT = proto.temporal.api.enums.v1.HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT;

/**
 * Temporal answers the moment the run closes. The SDK's `result()` would fetch and open the output besides, which
 * is read from the row. @returns whether it did.
 */
async function ended(client: Client, runId: string, withinMs: number): Promise<boolean> {
  const request = {
    namespace: client.options.namespace,
    execution: { workflowId: runId },
    waitNewEvent: true,
    historyEventFilterType: CLOSE_EVENT,
    skipArchival: true,
  };
  try {
    const { history } = await client.withDeadline(Date.now() + withinMs, () =>
      client.workflowService.getWorkflowExecutionHistory(request),
    );
    return (history?.events ?? []).length > 0;
  } catch {
    return false; // it cannot be reached, or found yet, or did not close: the row is looked at again
  }
}

function claim(
  user: Principal,
  jobId: string,
  workflowId: string,
  key: string,
  body: { input: Json; version?: number | undefined },
) {
  if (key.length > 200)
    throw new AppError('invalid', `The Idempotency-Key has ${key.length} characters; 200 is the limit.`);
  const bodyHash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
  return { userId: user.userId, route: `trigger ${workflowId}`, key, bodyHash, jobId };
}
