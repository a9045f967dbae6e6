import { RE2JS } from 're2js';
import {
  type EventStrategy,
  isPattern,
  typesNamed,
  typesOf,
} from '../../../domain/neosyntis/dsl/event-strategy.ts';
import type { Listening } from '../../../domain/neosyntis/events.ts';
import { lifecycleTypes } from '../../../domain/neosyntis/lifecycle.ts';

/**
 * Which types of events a strategy can take, for the rows that events are held against. Lifecycle events come only to
 * those who ask for them, by their type or by a regular expression that speaks of them: a run that listens to
 * everything would else listen to what it does itself.
 */
export function listened(strategy: EventStrategy): Pick<Listening, 'types' | 'lifecycle'> {
  const named = typesNamed(strategy);
  const lifecycle = lifecycleTypes.filter((type) =>
    named.some((wanted) =>
      isPattern(wanted)
        ? wanted.includes('serverlessworkflow') && RE2JS.compile(wanted).matches(type)
        : wanted === type,
    ),
  );
  return { types: typesOf(strategy), lifecycle };
}
