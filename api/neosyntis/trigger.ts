import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { v7 as uuidv7 } from 'uuid';
import type { RunRepository } from '../../db/neosyntis/runs.ts';
import type { WorkflowRepository } from '../../db/neosyntis/workflows.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import { workflowTypes } from '../../domain/names.ts';
import type { RerunFrom, RerunOf } from '../../domain/neosyntis/reuse.ts';
import { isEnded, type RunSummary } from '../../domain/neosyntis/runs.ts';
import { type RunIntent, runStart } from '../../domain/neosyntis/start.ts';
import type { Json } from '../../domain/wire.ts';
import type { Logger } from '../../logs.ts';
import type { neosyntisRun } from '../../workflows/neosyntis/runs.ts';
import type { RunEnds } from '../live/run-ends.ts';
import type { Temporal } from '../temporal/client.ts';
import { mayRunCode, requireCode } from './definitions.ts';

export interface TriggerDeps {
  workflows: WorkflowRepository;
  runs: RunRepository;
  temporal: Temporal;
  ends: RunEnds;
  publish(events: readonly StoredEvent[]): void;
  /** As RunInput has it. */
  legTasks: number;
  log: Logger;
}

export interface Trigger {
  workflowId: string;
  version?: number;
  input: Json;
  idempotencyKey: string;
  /** Which run it repeats. */
  rerun?: RerunOf;
}

/** Starts runs: the row first, then the Temporal workflow that has the row's id. */
export function createTrigger(deps: TriggerDeps) {
  const { workflows, runs, temporal } = deps;

  /** A start that fails or takes too long is left to the reconciler: the row says that it is wanted. */
  async function start(runId: string, intent: RunIntent): Promise<void> {
    try {
      await temporal.call((client) =>
        client.workflow.start<typeof neosyntisRun>(workflowTypes.run, runStart(runId, intent)),
      );
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return; // the reconciler was faster
      deps.log.warn({ err: error, runId }, 'not started now; the reconciler starts it');
    }
  }

  /** Says why there was nothing to run for this user. */
  async function refused(
    user: Principal,
    { workflowId, version }: { workflowId: string; version: number | undefined },
    error: unknown,
  ): Promise<never> {
    if (error instanceof AppError && error.code === 'not_found') {
      const workflow = await workflows.version(user, workflowId, version);
      requireCode(user, workflow.usesCode);
    }
    throw error;
  }

  return {
    /**
     * @returns the run, which is durable: should Temporal be lost in this moment, it starts later. `isNew` is false
     *   when the Idempotency-Key stands for a run already.
     * @throws AppError `not_found`, `forbidden`, `invalid`; `unavailable` when Temporal is away, with nothing
     *   written. Who loses the answer, or the database in the commit, repeats with the same Idempotency-Key.
     */
    async trigger(
      user: Principal,
      { workflowId, version, input, idempotencyKey, rerun }: Trigger,
    ): Promise<{ runId: string; isNew: boolean }> {
      await temporal.ensureUp();
      const id = uuidv7();
      const idempotency = idempotencyKey
        ? claim(
            user,
            id,
            { route: rerun ? `rerun ${rerun.runId}` : `trigger ${workflowId}`, key: idempotencyKey },
            { input, version, from: rerun?.from },
          )
        : undefined;
      const created = await runs
        .create({ id, user, workflowId, version, input, idempotency, rerun, mayRunCode: mayRunCode(user) })
        .catch((error: unknown) => refused(user, { workflowId, version }, error));
      if (!created.isNew) return { runId: created.id, isNew: false };
      deps.publish(created.events);
      const repeats = rerun?.from ? { rerun: { runId: rerun.runId, from: rerun.from } } : {};
      const { legTasks } = deps;
      await start(id, { ...created.workflow, workflowId, input, legTasks, ...repeats });
      return { runId: id, isNew: true };
    },

    /** The run when it has ended, or as it is when the time is up or the client has gone. */
    async waitForEnd(
      user: Principal,
      runId: string,
      seconds: number,
      signal: AbortSignal,
    ): Promise<RunSummary> {
      if (seconds === 0) return runs.summary(user, runId);
      const deadline = Date.now() + seconds * 1000;
      for (;;) {
        const waiting = deps.ends.wait(runId); // before the row is read: what comes between is not missed
        try {
          const run = await runs.summary(user, runId);
          const left = deadline - Date.now();
          if (isEnded(run.status) || left <= 0 || signal.aborted) return run;
          await within(left, signal, waiting.ended);
        } finally {
          waiting.stop();
        }
      }
    },
  };
}

/** Waits for the promise, or until the time is up or the signal comes. */
async function within(ms: number, signal: AbortSignal, ended: Promise<void>): Promise<void> {
  const over = new AbortController();
  try {
    const late = delay(ms, undefined, { signal: AbortSignal.any([over.signal, signal]) }).catch(() => {});
    await Promise.race([ended, late]);
  } finally {
    over.abort();
  }
}

function claim(
  user: Principal,
  jobId: string,
  { route, key }: { route: string; key: string },
  body: { input: Json; version?: number | undefined; from?: RerunFrom | undefined },
) {
  if (key.length > 200)
    throw new AppError('invalid', `The Idempotency-Key has ${key.length} characters; 200 is the limit.`);
  const bodyHash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
  return { userId: user.userId, route, key, bodyHash, jobId };
}
