import { ApplicationFailure } from '@temporalio/activity';
import { Value } from 'typebox/value';
import { verbs } from '../../../domain/neosyntis/verbs.ts';
import type { Json } from '../../../domain/wire.ts';

export interface VerbCall {
  runId: string;
  path: string;
  iteration: number[];
  /** From 1; a step that a `try` runs again is another call. */
  attempt: number;
  verb: string;
  args: Json;
}

/** What a verb does; it is called again after a crash only when the registry says that it is idempotent. */
export type VerbImplementation = (call: VerbCall) => Promise<Json>;

/** The verbs of the registry whose queue is the platform's, by name. */
export function createVerbActivities(implementations: Record<string, VerbImplementation>) {
  return {
    async callVerb(call: VerbCall): Promise<Json> {
      const verb = verbs.get(call.verb);
      const implementation = implementations[call.verb];
      if (!verb || !implementation)
        throw ApplicationFailure.nonRetryable(`This worker has no verb "${call.verb}".`, 'configuration');
      const [problem] = Value.Errors(verb.with, call.args);
      if (problem)
        throw ApplicationFailure.nonRetryable(
          `${call.verb}: ${problem.instancePath || 'with'} ${problem.message}`,
          'invalid',
        );
      return implementation(call);
    },
  };
}

export type VerbActivities = ReturnType<typeof createVerbActivities>;
