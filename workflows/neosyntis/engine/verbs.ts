import { ActivityCancellationType, proxyActivities, proxyLocalActivities, sleep } from '@temporalio/workflow';
import type { VerbActivities, VerbCall, VerbResult } from '../../../activities/platform/neosyntis/verbs.ts';
import { OUTBOUND_QUEUE, PLATFORM_QUEUE, WAITS_QUEUE } from '../../../domain/names.ts';
import type { RunProblem } from '../../../domain/neosyntis/runs.ts';
import type { Sealed } from '../../../domain/neosyntis/sealed.ts';
import { activityVerbs, type Verb } from '../../../domain/neosyntis/verbs.ts';
import type { Json } from '../../../domain/wire.ts';
import { failure, TaskFailure } from './problem.ts';
import type { Recorder } from './recorder.ts';
import type { StepPlace } from './scope.ts';
import type { InTurn } from './turns.ts';
import { failedCall } from './verb-problem.ts';

export interface CallingStep extends StepPlace {
  timeoutMs: number | undefined;
  sealed?: Sealed;
  /** Told when an attempt has failed and another one is to come, and when that begins. */
  attempts?: Attempting | undefined;
}

export interface Attempting {
  failed(problem: RunProblem): void;
  again(): void;
}

export type VerbCaller = (name: string, args: Json, step: CallingStep) => Promise<VerbResult>;

const DEFAULT_TIMEOUT_MS = 30_000;

/** Calls a verb of the registry by its activity; one that is idempotent is tried again, others never are. */
export function createVerbCaller(runId: string, recorder: Recorder, inTurn: InTurn): VerbCaller {
  const callBriefly = inTurn(brief.callVerb);
  return async (name, args, { timeoutMs: given, attempts, ...step }) => {
    const verb = activityVerbs.get(name);
    // Temporal would look for an activity that nobody has for ever.
    if (!verb) throw failure('configuration', `There is no verb "${name}" in this version.`);
    const timeoutMs = given ?? verb.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    // Each attempt has the same place, so that what a repeated one does can be told from what another step does.
    const call = { runId, ...step, verb: name, args, timeoutMs };
    const prepared = verb.prepares
      ? (await make(verb, { ...call, prepares: true }, { isIdempotent: true, attempts })).output
      : undefined;
    const isIdempotent =
      typeof verb.idempotent === 'function' ? verb.idempotent(args, prepared ?? null) : verb.idempotent;
    return make(verb, prepared === undefined ? call : { ...call, prepared }, { isIdempotent, attempts });
  };

  /** Tries until it is done, or there is nothing more to try. */
  async function make(
    verb: Verb,
    call: TimedCall,
    { isIdempotent, attempts }: { isIdempotent: boolean; attempts: Attempting | undefined },
  ): Promise<VerbResult> {
    const most = isIdempotent ? retryOf(verb).attempts : 1;
    for (let tries = 1; ; tries++) {
      try {
        return await attempt(verb, call, tries);
      } catch (thrown) {
        const { error, isFinal, pauseMs } = failedCall(thrown, verb.name, isIdempotent);
        if (isFinal || tries >= most || !(error instanceof TaskFailure)) throw error;
        attempts?.failed(error.problem);
        await sleep(pauseMs ?? pauseAfter(verb, tries));
        attempts?.again();
      }
    }
  }

  /** The first one of a brief verb is made within the run's own turn; after that something is slow, or away. */
  async function attempt(verb: Verb, call: TimedCall, tries: number): Promise<VerbResult> {
    if (verb.brief && tries === 1) return callBriefly(call);
    const { callVerb } = proxyActivities<VerbActivities>(
      verb.waits ? waiting : { ...placeOf(verb, call.timeoutMs), retry: { maximumAttempts: 1 } },
    );
    const news = recorder.news();
    return callVerb(news ? { ...call, news } : call);
  }
}

type TimedCall = VerbCall & { timeoutMs: number };

/** The workflow task stays open meanwhile. */
const brief = proxyLocalActivities<VerbActivities>({
  startToCloseTimeout: '2 seconds',
  retry: { maximumAttempts: 1 },
});

/** It says itself when it is too late. Attempts are Temporal's: each goes on with what the one before has told. */
const waiting = {
  taskQueue: WAITS_QUEUE,
  scheduleToCloseTimeout: '366 days',
  // A worker that dies is noticed within this time.
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '500 ms', backoffCoefficient: 1.5, maximumInterval: '10 seconds' },
} as const;

const placeOf = (verb: Verb, timeoutMs: number) =>
  verb.queue === 'platform'
    ? { taskQueue: PLATFORM_QUEUE, startToCloseTimeout: '1 minute' as const }
    : {
        taskQueue: verb.queue === 'waits' ? WAITS_QUEUE : OUTBOUND_QUEUE,
        // The request has its own limit; this one is for a worker that forgot to enforce it.
        startToCloseTimeout: timeoutMs + 10_000,
        // A worker that dies is noticed within this time.
        heartbeatTimeout: 5_000,
        // A cancelled run has ended its requests.
        cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
      };

/** What the platform does itself fails for others only while the database is away: that may take an hour. */
const patient = { attempts: 65, firstPauseMs: 200 };

const LONGEST_PAUSE_MS = 60_000;

const retryOf = ({
  queue,
  retry = queue === 'outbound' ? { attempts: 5, firstPauseMs: 200 } : patient,
}: Verb) => retry;

const pauseAfter = (verb: Verb, tries: number): number =>
  Math.min(retryOf(verb).firstPauseMs * 2 ** (tries - 1), LONGEST_PAUSE_MS);
