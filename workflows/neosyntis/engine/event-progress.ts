import type { WorkflowEvent } from '../../../domain/neosyntis/cloud-event.ts';
import { filtersOf, type UntilStrategy } from '../../../domain/neosyntis/dsl/event-strategy.ts';
import type { CorrelationKeys } from '../../../domain/neosyntis/event-starts.ts';
import type { Matcher } from './event-matching.ts';

/** How far a strategy has come: plain JSON. */
export interface StrategyProgress {
  keys: CorrelationKeys;
  /** Which events of `all` came. */
  met: boolean[];
}

export const noProgress = (): StrategyProgress => ({ keys: {}, met: [] });

/**
 * Whether a strategy consumes an event; what that means for it is noted in `progress`. Of `all` an event counts for
 * every filter that it matches, so that it does not matter in which order events come.
 */
export async function consumes(
  matcher: Matcher,
  strategy: UntilStrategy,
  progress: StrategyProgress,
  event: WorkflowEvent,
): Promise<boolean> {
  const filters = filtersOf(strategy);
  if (filters.length === 0) return true;
  let isConsumed = false;
  for (const [at, { filter }] of filters.entries()) {
    if (strategy.all && progress.met[at]) continue;
    const keys = await matcher.matches(filter, event, progress.keys);
    if (!keys) continue;
    progress.keys = keys;
    isConsumed = true;
    if (!strategy.all) return true;
    progress.met[at] = true;
  }
  return isConsumed;
}

/** Whether nothing is missing any more, after an event was consumed. */
export const isMet = (strategy: UntilStrategy, { met }: StrategyProgress): boolean =>
  strategy.all === undefined || strategy.all.every((_filter, at) => met[at] === true);
