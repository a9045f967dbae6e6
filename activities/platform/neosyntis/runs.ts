import { ApplicationFailure, activityInfo, Context } from '@temporalio/activity';
import { expectLogs, missingLogs, openLogs } from '../../../db/myntrix/logs.ts';
import { applyProjection } from '../../../db/neosyntis/projection.ts';
import type { Projected } from '../../../db/neosyntis/projection-statement.ts';
import type { Database } from '../../../db/orm.ts';
import type { HostGrantRepository } from '../../../db/system/host-grants.ts';
import type { CheckResult, GuardedExpression, GuardedResult } from '../../../domain/neosyntis/guarded.ts';
import type { ProjectionBatch, StepChange } from '../../../domain/neosyntis/projection.ts';
import type { Placement, Wanted } from '../../../domain/system/placement.ts';
import type { Json } from '../../../domain/wire.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';
import type { GuardedEvaluator } from '../../../drivers/expressions/guarded.ts';
import type { Payloads } from '../../../drivers/payloads/converter.ts';
import type { Logger } from '../../../logs.ts';
import { waitUntil } from '../../wait-until.ts';
import { createLogRequests } from './log-requests.ts';
import { createPlace } from './place.ts';
import type { Resets } from './resets.ts';

export interface RunActivityDeps {
  database: Database;
  bus: Bus;
  hostGrants: Pick<HostGrantRepository, 'candidates'>;
  guarded: GuardedEvaluator;
  resets: Resets;
  /** Runs the steps of those who name no host. */
  defaultHost: string;
  keep: Payloads['keep'];
  /** Sends the lifecycle events of a run that are due. */
  sendLifecycle(runId: string): Promise<void>;
  /** Does what the end of a run means for the tick of a task that it was an attempt of. */
  taskRunEnded(tickId: string, runId: string): Promise<void>;
  log: Logger;
}

/** How long a run's end waits for the last lines of its steps. */
const LOGS_WITHIN_MS = 1_000;

/** A step that is to be placed, of its run. */
export interface PlacedStep {
  path: string;
  iteration: number[];
  attempt: number;
}

/** What a run asks of the platform. All are idempotent. */
export function createRunActivities(deps: RunActivityDeps) {
  const { database, bus, hostGrants, guarded, resets, defaultHost, keep } = deps;
  const ask = createLogRequests(bus);
  /** Frames go out after the commit; one that is lost is seen by its number and read from the database. */
  const news = createNews(bus);
  function publish(runId: string, made: Projected): void {
    news.run(runId, made);
    if (made.lifecycle) void deps.sendLifecycle(runId);
    if (made.tick !== undefined)
      // What is lost here is done by the reconciler.
      deps
        .taskRunEnded(made.tick, runId)
        .catch((error: unknown) =>
          deps.log.warn({ err: error, runId }, 'the end of a task’s run is followed later'),
        );
  }
  const place = createPlace({ hostGrants, defaultHost });

  async function project(batch: ProjectionBatch): Promise<void> {
    await expect(batch);
    publish(batch.runId, await applied(batch));
  }

  /** What PostgreSQL calls bad data (class 22) stays bad: it is not tried again. */
  async function applied(batch: ProjectionBatch): Promise<Projected> {
    try {
      const execution = activityInfo().workflowExecution?.runId ?? null;
      const projected = await applyProjection(database, batch, execution);
      if (!projected.isOther || execution === null) return projected;
      return await followed(batch, execution);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (typeof code !== 'string' || !code.startsWith('22')) throw error;
      throw ApplicationFailure.nonRetryable('PostgreSQL refuses the data', 'refused');
    }
  }

  /** A reset began another execution, which tells the run from now on; what the one before still sends is late. */
  async function followed(batch: ProjectionBatch, execution: string): Promise<Projected> {
    const current = await resets.current(batch.runId);
    if (current?.id !== execution) return { frames: [], events: [] };
    publish(batch.runId, await resets.follow(batch.runId, execution));
    return applyProjection(database, batch, execution);
  }

  /** Notes how much the steps printed, so that what does not arrive is missed. */
  async function expect({ runId, changes }: ProjectionBatch): Promise<void> {
    for (const { step } of changes.flatMap((change) => ('step' in change ? [change] : [])))
      if (hasLogs(step)) await expectLogs(database, { runId, ...step });
  }

  async function logsToCome(batch: ProjectionBatch): Promise<void> {
    await expect(batch);
    await waitUntil(async () => {
      const missing = await missingLogs(database, batch.runId);
      missing.forEach(ask);
      return missing.length === 0;
    }, LOGS_WITHIN_MS);
  }

  return {
    project,

    /** As `project`, for a local activity: of those the history has only what they give back. */
    async tell(batch: ProjectionBatch): Promise<ProjectionBatch> {
      await project(batch);
      return batch;
    },

    /** The last projection: whoever waited for the run reads its end, and its logs as far as they came. */
    async finish(batch: ProjectionBatch, logged: boolean): Promise<void> {
      if (logged) await logsToCome(batch);
      publish(batch.runId, await applied(batch));
    },

    /** Keeps a value of the run that is too large for a row, and gives its name. */
    keepValue(value: Json): Promise<string> {
      const { workflowExecution, namespace } = activityInfo();
      return keep(value, {
        namespace: namespace ?? 'default',
        workflowId: workflowExecution?.workflowId ?? '',
      });
    },

    /** The host for a step of a run, or why there is none now. */
    async place(runId: string, wanted: Wanted, step?: PlacedStep): Promise<Placement> {
      const placement = await place(runId, wanted);
      if (placement.kind === 'placed' && step)
        await openLogs(database, { ...step, runId, host: placement.host });
      return placement;
    },

    /** In arguments of their own, so that a large input of many expressions is the same payload each time. */
    evaluateGuarded: (
      source: string,
      input: GuardedExpression['input'],
      variables: GuardedExpression['variables'],
    ): Promise<GuardedResult> =>
      guarded.evaluate({ source, input, variables }, Context.current().cancellationSignal),

    checkGuarded: (schema: Json, value: Json): Promise<CheckResult> =>
      guarded.check({ schema, value }, Context.current().cancellationSignal),
  };
}

export type RunActivities = ReturnType<typeof createRunActivities>;

const hasLogs = (
  step: StepChange,
): step is StepChange & { host: string; stdoutBytes: number; stderrBytes: number } =>
  step.host !== undefined && step.stdoutBytes !== undefined && step.stderrBytes !== undefined;
