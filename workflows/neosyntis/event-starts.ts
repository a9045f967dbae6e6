import {
  continueAsNew,
  defineSignal,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { EventStartActivities } from '../../activities/platform/neosyntis/event-starts.ts';
import { scheduleOfStarts, wakeSignal } from '../../domain/names.ts';
import type { WorkflowEvent } from '../../domain/neosyntis/cloud-event.ts';
import { type EventStrategy, filtersOf } from '../../domain/neosyntis/dsl/event-strategy.ts';
import { type DueEvent, type Hits, PAYLOAD } from '../../domain/neosyntis/event-starts.ts';
import { byteLength } from '../../domain/neosyntis/shown.ts';
import { createBudget } from './engine/budget.ts';
import { createEvaluator } from './engine/evaluator.ts';
import { createMatcher, type Matcher } from './engine/event-matching.ts';
import { jq } from './engine/jq.ts';
import { createTurns } from './engine/turns.ts';

/** Tried until the database is back. */
const { dueEvents, eventPart, takeEvents } = proxyActivities<EventStartActivities>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: 100, maximumInterval: '5 seconds' },
});
const { evaluateFilter } = proxyLocalActivities<EventStartActivities>({
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
  const evaluator = createEvaluator({
    engine: await jq(),
    guarded: createTurns()(evaluateFilter),
    budget: createBudget(() => undefined),
  });
  const matcher = createMatcher({ evaluator, input: null, variables: () => ({}) });
  while (isAwake) {
    isAwake = false;
    const due = await dueEvents(scheduleId);
    if (!due) continue;
    const { digest, on, events } = due;
    const held: { seq: number; hits: Hits }[] = [];
    // What does not go along is due still.
    let bytes = 0;
    for (const one of events) {
      if (bytes > PAYLOAD.keyBytes) break;
      const hits = withinLimit(await hitsOf(matcher, on, await whole(one)));
      held.push({ seq: one.seq, hits });
      bytes += byteLength(hits);
    }
    await takeEvents({ scheduleId, digest, held });
    isAwake = true;
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof startByEvents>();
  }
}

/** A large event comes in parts, each of which Temporal keeps by itself. */
async function whole({ seq, event, parts }: DueEvent): Promise<WorkflowEvent | undefined> {
  if (event) return event;
  let text = '';
  for (let at = 0; at < parts; at++) {
    const part = await eventPart(seq, at);
    if (part === '') return undefined; // it is gone, and so due no more
    text += part;
  }
  return JSON.parse(text) as WorkflowEvent; // it was checked when it came
}

/** An event with so large correlation values belongs to nothing. */
const withinLimit = (hits: Hits): Hits => (byteLength(hits) > PAYLOAD.keyBytes ? hits.map(() => null) : hits);

/** Each filter by itself: which correlation values go together is found out where the sets are. */
async function hitsOf(matcher: Matcher, on: EventStrategy, event: WorkflowEvent | undefined): Promise<Hits> {
  const hits: Hits = [];
  if (!event) return hits;
  for (const { filter } of filtersOf(on)) hits.push((await matcher.matches(filter, event, {})) ?? null);
  return hits;
}
