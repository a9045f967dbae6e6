import { ApplicationFailure } from '@temporalio/activity';
import { Value } from 'typebox/value';
import type { Sealed } from '../../../domain/neosyntis/sealed.ts';
import { verbs } from '../../../domain/neosyntis/verbs.ts';
import type { Json } from '../../../domain/wire.ts';

export interface VerbCall {
  runId: string;
  path: string;
  iteration: number[];
  verb: string;
  /** Null where `sealed` has an expression. */
  args: Json;
  /** Expressions on secrets, to be evaluated here. */
  sealed?: Sealed;
}

/** What a verb does; it is called again after a crash only when the registry says that it is idempotent. */
export type VerbImplementation = (call: VerbCall) => Promise<Json>;

/**
 * The verbs of the registry whose queue is the platform's, by name.
 * @param opened puts a call's secrets into its arguments, and hides them in what the work gives or throws.
 */
export function createVerbActivities(
  implementations: Record<string, VerbImplementation>,
  opened: (call: VerbCall, work: (args: Json) => Promise<Json>) => Promise<Json>,
) {
  return {
    async callVerb(call: VerbCall): Promise<Json> {
      const verb = verbs.get(call.verb);
      const implementation = implementations[call.verb];
      if (!verb || !implementation)
        throw ApplicationFailure.nonRetryable(`This worker has no verb "${call.verb}".`, 'configuration');
      const { sealed: _unread, ...plain } = call;
      return opened(call, async (args) => {
        const [problem] = Value.Errors(verb.with, args);
        if (problem)
          throw ApplicationFailure.nonRetryable(
            `${call.verb}: ${problem.instancePath || 'with'} ${problem.message}`,
            'invalid',
          );
        return implementation({ ...plain, args });
      });
    },
  };
}

export type VerbActivities = ReturnType<typeof createVerbActivities>;
