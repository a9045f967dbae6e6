import type { ReuseActivities } from '../../../activities/platform/neosyntis/reuse.ts';
import { placeKey, type RerunFrom, type Reused } from '../../../domain/neosyntis/reuse.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Budget } from './budget.ts';
import { failure } from './problem.ts';
import type { StepScope } from './scope.ts';

/** The outcomes of an earlier run that this one has not come to yet. */
export interface Reuse {
  /** What the step gave then; it counts once: a step that a `try` runs again is done. */
  take(step: StepScope): Promise<Reused | undefined>;
}

/** @throws TaskFailure `configuration` when the earlier run is gone. */
export async function loadReuse(
  { reusable, reusedValues }: ReuseActivities,
  { runId, from }: { runId: string; from: RerunFrom },
  budget: Budget,
): Promise<Reuse> {
  const places = new Map<string, { path: string; iteration: number[]; outcome?: Reused }>();
  for (let page: number | undefined = 0; page !== undefined; ) {
    const found: Awaited<ReturnType<ReuseActivities['reusable']>> = await budget.inTurn(
      () => reusable(runId, from, page ?? 0),
      (answer) => byteLength(answer as unknown as Json), // it is JSON
    );
    if ('problem' in found) throw failure('configuration', found.problem);
    for (const step of found.steps) places.set(placeKey(step.path, step.iteration), step);
    page = found.next;
  }
  return {
    async take({ pointer, iteration, attempt }) {
      if (attempt > 1) return undefined;
      const key = placeKey(pointer, iteration);
      const place = places.get(key);
      if (!place) return undefined;
      places.delete(key);
      if (place.outcome) return place.outcome;
      const found = await budget.inTurn(
        () => reusedValues(runId, { path: place.path, iteration: place.iteration }),
        (answer) => ('problem' in answer ? 0 : byteLength(answer.output)),
      );
      if ('problem' in found) throw failure('configuration', found.problem);
      return found;
    },
  };
}
