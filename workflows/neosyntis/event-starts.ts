import {
  continueAsNew,
  defineSignal,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { EventStartActivities } from '../../activities/platform/neosyntis/event-starts.ts';
import type { RunActivities } from '../../activities/platform/neosyntis/runs.ts';
import { scheduleOfStarts, wakeSignal } from '../../domain/names.ts';
import type { WorkflowEvent } from '../../domain/neosyntis/cloud-event.ts';
import { type EventStrategy, filtersOf } from '../../domain/neosyntis/dsl/event-strategy.ts';
import type { Hits } from '../../domain/neosyntis/event-starts.ts';
import { createBudget } from './engine/budget.ts';
import { createEvaluator } from './engine/evaluator.ts';
import { createMatcher, type Matcher } from './engine/event-matching.ts';
import { jq } from './engine/jq.ts';
import { createTurns } from './engine/turns.ts';

/** Tried until the database is back. */
const { dueEvents, takeEvents } = proxyActivities<EventStartActivities>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: 100, maximumInterval: '5 seconds' },
});
const { evaluateGuarded } = proxyLocalActivities<RunActivities>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: 50, maximumInterval: '1 second' },
});

const wake = defineSignal(wakeSignal);

/**
 * Holds what has come for a schedule's `on` against its filters, and has runs begun, until nothing is left. What has
 * come, what is wanted and the sets that are not complete are rows: whoever ends this loses nothing but a few seconds.
 */
export async function startByEvents(): Promise<void> {
  let isAwake = true;
  setHandler(wake, () => {
    isAwake = true;
  });
  const scheduleId = scheduleOfStarts(workflowInfo().workflowId);
  const inTurn = createTurns();
  const guarded = inTurn(evaluateGuarded);
  const evaluator = createEvaluator({
    engine: await jq(),
    guarded: ({ source, input, variables }) => guarded(source, input, variables),
    budget: createBudget(() => undefined),
  });
  const matcher = createMatcher({ evaluator, input: null, variables: () => ({}) });
  while (isAwake) {
    isAwake = false;
    const due = await dueEvents(scheduleId);
    if (!due) continue;
    const { digest, on, events } = due;
    const held: { seq: number; hits: Hits }[] = [];
    for (const { seq, event } of events) held.push({ seq, hits: await hitsOf(matcher, on, event) });
    await takeEvents({ scheduleId, digest, held });
    isAwake = true;
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof startByEvents>();
  }
}

/** Each filter by itself: which correlation values go together is found out where the sets are. */
async function hitsOf(matcher: Matcher, on: EventStrategy, event: WorkflowEvent): Promise<Hits> {
  const hits: Hits = [];
  for (const { filter } of filtersOf(on)) hits.push((await matcher.matches(filter, event, {})) ?? null);
  return hits;
}
