import { ApplicationFailure } from '@temporalio/activity';
import { Value } from 'typebox/value';
import { type Verb, verbs } from '../../../domain/neosyntis/verbs.ts';
import type { Json } from '../../../domain/wire.ts';

export interface VerbCall {
  runId: string;
  path: string;
  iteration: number[];
  verb: string;
  args: Json;
  /** Of one attempt; verbs of the outbound queue keep to it. */
  timeoutMs: number;
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
      const problem = firstProblem(verb, call.args);
      if (problem) throw ApplicationFailure.nonRetryable(`${call.verb}: ${problem}`, 'invalid');
      return implementation(call);
    },
  };
}

function firstProblem(verb: Verb, args: Json): string | undefined {
  const [broken] = Value.Errors(verb.with, args);
  if (broken) return `${broken.instancePath || 'with'} ${broken.message}`;
  const checked = args as Record<string, Json>; // the schema of every verb is an object
  const [problem] = [...(verb.refuse?.(checked) ?? []), ...(verb.check?.(checked) ?? [])];
  return problem && `${problem.path} ${problem.message}`;
}

export type VerbActivities = ReturnType<typeof createVerbActivities>;
