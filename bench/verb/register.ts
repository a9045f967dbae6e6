import { Type } from 'typebox';
import { activityVerbs, type Verb, verbs } from '../../domain/neosyntis/verbs.ts';

/** A verb that does nothing, as an activity of the platform's queue: what a step costs is all that it costs. */
export const nothing: Verb = {
  name: 'bench.nothing',
  summary: 'Gives back what it is given',
  with: Type.Object({ value: Type.Unknown() }, { additionalProperties: false }),
  idempotent: true,
  queue: 'platform',
};

/** The same within the run's own turn. */
export const brief: Verb = { ...nothing, name: 'bench.brief', brief: true };

// Only the entry points of the benchmarks import this file, before anything reads the registry.
for (const registry of [verbs, activityVerbs] as Map<string, Verb>[])
  for (const verb of [nothing, brief]) registry.set(verb.name, verb);
