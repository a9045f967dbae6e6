import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { VerbActivities, VerbCall, VerbResult } from '../../../activities/platform/neosyntis/verbs.ts';
import { OUTBOUND_QUEUE, PLATFORM_QUEUE } from '../../../domain/names.ts';
import { standardProblem } from '../../../domain/neosyntis/problems.ts';
import type { Sealed } from '../../../domain/neosyntis/sealed.ts';
import { VERB_FAILURE, type VerbFailure } from '../../../domain/neosyntis/verb-failure.ts';
import { activityVerbs, type Verb } from '../../../domain/neosyntis/verbs.ts';
import type { Json } from '../../../domain/wire.ts';
import { CancelledUnseen, failure, TaskFailure } from './problem.ts';
import type { Recorder } from './recorder.ts';
import type { StepPlace } from './scope.ts';
import type { InTurn } from './turns.ts';

export type VerbCaller = (
  name: string,
  args: Json,
  step: StepPlace & { timeoutMs: number | undefined; sealed?: Sealed },
) => Promise<VerbResult>;

const DEFAULT_TIMEOUT_MS = 30_000;

/** Calls a verb of the registry by its activity; one that is idempotent is tried again, others never are. */
export function createVerbCaller(runId: string, recorder: Recorder, inTurn: InTurn): VerbCaller {
  const callQuickly = inTurn(quick.callVerb);
  return async (name, args, { timeoutMs = DEFAULT_TIMEOUT_MS, ...step }) => {
    const verb = activityVerbs.get(name);
    // Temporal would look for an activity that nobody has for ever.
    if (!verb) throw failure('configuration', `There is no verb "${name}" in this version.`);
    const call = { runId, ...step, verb: name, args, timeoutMs };
    const prepared = verb.prepares ? (await make(verb, { ...call, prepares: true }, true)).output : undefined;
    const isIdempotent =
      typeof verb.idempotent === 'function' ? verb.idempotent(args, prepared ?? null) : verb.idempotent;
    return make(verb, prepared === undefined ? call : { ...call, prepared }, isIdempotent);
  };

  async function make(
    verb: Verb,
    call: VerbCall & { timeoutMs: number },
    isIdempotent: boolean,
  ): Promise<VerbResult> {
    try {
      if (verb.brief) {
        const done = await briefly(() => callQuickly(call));
        if (done) return done;
      }
      const { callVerb } = proxyActivities<VerbActivities>({
        ...placeOf(verb, call.timeoutMs),
        retry: isIdempotent ? retryOf(verb) : { maximumAttempts: 1 },
      });
      const news = recorder.news();
      return await callVerb(news ? { ...call, news } : call);
    } catch (error) {
      throw described(error, verb.name, isIdempotent);
    }
  }
}

/** The workflow task stays open meanwhile. */
const quick = proxyLocalActivities<VerbActivities>({
  startToCloseTimeout: '2 seconds',
  retry: { maximumAttempts: 1 },
});

/** What the verb puts out; nothing when it took too long this time, or something is away. */
async function briefly(callVerb: () => Promise<VerbResult>): Promise<VerbResult | undefined> {
  try {
    return await callVerb();
  } catch (error) {
    if (isAnswered(causeOf(error)) || isCancellation(error)) throw error;
    return undefined;
  }
}

/** What an activity failed by: a local one fails by that itself. */
const causeOf = (error: unknown): unknown => (error instanceof ActivityFailure ? error.cause : error);

/** What the verb itself says, and would say again. */
const isAnswered = (cause: unknown): boolean =>
  cause instanceof ApplicationFailure && cause.nonRetryable === true;

const placeOf = (verb: Verb, timeoutMs: number) =>
  verb.queue === 'platform'
    ? { taskQueue: PLATFORM_QUEUE, startToCloseTimeout: '1 minute' as const }
    : {
        taskQueue: OUTBOUND_QUEUE,
        // The request has its own limit; this one is for a worker that forgot to enforce it.
        startToCloseTimeout: timeoutMs + 10_000,
        // A worker that dies is noticed within this time.
        heartbeatTimeout: 5_000,
        // A cancelled run has ended its requests.
        cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
      };

/** What the platform does itself fails for others only while the database is away: that may take an hour. */
const patient = { attempts: 65, firstPauseMs: 200 };

const retryOf = ({
  queue,
  retry = queue === 'platform' ? patient : { attempts: 5, firstPauseMs: 200 },
}: Verb) => ({
  maximumAttempts: retry.attempts,
  initialInterval: retry.firstPauseMs,
  maximumInterval: '1 minute' as const,
});

const isOwn = (type: string | null | undefined) =>
  type === 'configuration' || type === 'authorization' || type === 'expression';

function described(error: unknown, name: string, isIdempotent: boolean): unknown {
  const cause = causeOf(error);
  if (isCancellation(error) || (cause === error && !(error instanceof ApplicationFailure))) return error;
  if (cause instanceof ApplicationFailure && cause.type === VERB_FAILURE) {
    const [problem] = (cause.details ?? []) as [VerbFailure]; // of that type always
    return new TaskFailure(
      standardProblem(problem.kind, problem.detail, problem.status),
      problem.outcomeUnknown,
    );
  }
  if (cause instanceof ApplicationFailure && cause.type === 'invalid')
    return failure('validation', cause.message);
  if (cause instanceof ApplicationFailure && isOwn(cause.type)) return failure(cause.type, cause.message);
  // What else went wrong inside may name servers and addresses: the log has it.
  if (cause instanceof ApplicationFailure)
    return failure('runtime', `${name} failed; the platform's log says why.`);
  const unknown = `${name} did not answer; whether it had its effect is unknown.`;
  if (!CancellationScope.current().consideredCancelled) return failure('runtime', unknown, !isIdempotent);
  return isIdempotent ? new CancelledFailure(unknown) : new CancelledUnseen(unknown);
}
