import { ActivityFailure, ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import type { VerbActivities } from '../../../activities/platform/neosyntis/verbs.ts';
import { PLATFORM_QUEUE } from '../../../domain/names.ts';
import type { Sealed } from '../../../domain/neosyntis/sealed.ts';
import { verbs } from '../../../domain/neosyntis/verbs.ts';
import type { Json } from '../../../domain/wire.ts';
import { failure } from './problem.ts';

/** Calls a verb of the registry by its activity; one that is idempotent is tried again, others never are. */
export function createVerbCaller(runId: string) {
  return async (
    name: string,
    args: Json,
    step: { path: string; iteration: number[]; sealed?: Sealed },
  ): Promise<Json> => {
    const verb = verbs.get(name);
    // Temporal would look for an activity that nobody has for ever.
    if (!verb) throw failure('configuration', `There is no verb "${name}" in this version.`);
    const { callVerb } = proxyActivities<VerbActivities>({
      taskQueue: PLATFORM_QUEUE,
      startToCloseTimeout: '1 minute',
      retry: verb.idempotent ? { maximumAttempts: 5, initialInterval: 200 } : { maximumAttempts: 1 },
    });
    try {
      return await callVerb({ runId, ...step, verb: name, args });
    } catch (error) {
      throw described(error, name, verb.idempotent);
    }
  };
}

const isOwn = (type: string | null | undefined) =>
  type === 'configuration' || type === 'authorization' || type === 'expression';

function described(error: unknown, name: string, isIdempotent: boolean): unknown {
  if (!(error instanceof ActivityFailure)) return error;
  const { cause } = error;
  if (cause instanceof ApplicationFailure && cause.type === 'invalid')
    return failure('validation', cause.message);
  if (cause instanceof ApplicationFailure && isOwn(cause.type)) return failure(cause.type, cause.message);
  // What else went wrong inside may name servers and addresses: the log has it.
  if (cause instanceof ApplicationFailure)
    return failure('runtime', `${name} failed; the platform's log says why.`);
  return failure('runtime', `${name} did not answer; whether it had its effect is unknown.`, !isIdempotent);
}
