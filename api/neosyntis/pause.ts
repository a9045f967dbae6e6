import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { RunIntents } from '../../db/neosyntis/run-intents.ts';
import { AppError } from '../../domain/errors.ts';
import { refusals, runUpdates } from '../../domain/names.ts';
import { isEnded, type RunStatus } from '../../domain/neosyntis/runs.ts';
import type { Logger } from '../../logs.ts';
import type { Temporal } from '../temporal/client.ts';

export interface PauseDeps {
  temporal: Temporal;
  intents: Pick<RunIntents, 'wantPause'>;
  log: Logger;
}

const TRIES = 4;
const TRY_AGAIN_MS = 100;

export type Pause = (id: string, wanted: boolean) => Promise<void>;

/**
 * Pauses a run or lets it go on: the row first, then its workflow. When the word does not get through (no worker is
 * there to take it, or the run has not started), the reconciler says it again.
 * @throws AppError `unavailable` when Temporal does not answer, with nothing written; `conflict` when the run has ended
 */
export const createPause =
  ({ temporal, intents, log }: PauseDeps): Pause =>
  async (id, wanted) => {
    await temporal.ensureUp();
    const status = await intents.wantPause(id, wanted);
    if (status === undefined || isEnded(status)) throw ended(id, status);
    for (let tries = 1; ; tries++) {
      try {
        await temporal.call((client) =>
          client.workflow.getHandle(id).executeUpdate(wanted ? runUpdates.pause : runUpdates.resume),
        );
        return;
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal === refusals.already) return;
        if (refusal === refusals.ending) throw ended(id);
        // A word that falls between two executions of a run finds none; the next one takes it.
        if (tries < TRIES) await delay(tries * TRY_AGAIN_MS);
        else {
          const word =
            error instanceof WorkflowNotFoundError ? 'has no workflow yet' : 'did not take the word';
          log.warn({ err: error, runId: id, wanted }, `a run ${word}; the reconciler says it again`);
          return;
        }
      }
    }
  };

function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof WorkflowUpdateFailedError)) return undefined;
  const { cause } = error;
  return cause instanceof ApplicationFailure ? (cause.type ?? undefined) : undefined;
}

const ended = (id: string, status?: RunStatus): AppError =>
  new AppError(
    'conflict',
    `Run ${id} ${status ? `is ${status}` : 'has just ended'}: only a run that goes on is paused.`,
  );
