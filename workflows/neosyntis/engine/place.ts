import { sleep } from '@temporalio/workflow';
import type { PlacedStep, RunActivities } from '../../../activities/platform/neosyntis/runs.ts';
import type { Wanted } from '../../../domain/system/placement.ts';
import { failure } from './problem.ts';

export type Place = (
  runId: string,
  wanted: Wanted,
  step: PlacedStep,
  /** Told of each pause. */
  waited: (ms: number) => void,
) => Promise<{ host: string; generation: number }>;

/** How long a step waits for a host that can run it. */
const WITHIN_MS = 60_000;
const FIRST_LOOK_AFTER_MS = 250;
const LAST_LOOK_AFTER_MS = 4_000;

/**
 * Finds the host for a step. Nobody there is waited for, by ever longer looks: each costs the run some events.
 * @throws TaskFailure `authorization` when the run's owner may not, `communication` when nobody came.
 */
export const createPlacer =
  (look: RunActivities['place']): Place =>
  async (runId, wanted, step, waited) => {
    const endsAt = Date.now() + WITHIN_MS;
    for (let pauseMs = FIRST_LOOK_AFTER_MS; ; pauseMs = Math.min(pauseMs * 2, LAST_LOOK_AFTER_MS)) {
      const found = await look(runId, wanted, step);
      if (found.kind === 'placed') return found;
      if (found.kind === 'refused') throw failure('authorization', found.reason);
      if (found.kind === 'unable') throw failure('configuration', `${found.reason}; nothing ran.`);
      const leftMs = endsAt - Date.now();
      if (leftMs <= 0)
        throw failure(
          'communication',
          `${found.reason}, and none came within ${WITHIN_MS / 1000} s; nothing ran.`,
        );
      const from = Date.now();
      await sleep(Math.min(pauseMs, leftMs));
      waited(Date.now() - from);
    }
  };
