import {
  ActivityCancellationType,
  ActivityFailure,
  type ActivityOptions,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  proxyActivities,
  sleep,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { CodeActivities } from '../../../activities/host/neosyntis/code.ts';
import { hostQueue } from '../../../domain/names.ts';
import {
  type CodeResult,
  type CodeStep,
  codeFailures,
  SETTLED_WITHIN_MS,
  type SettledStep,
  SUPERSEDED,
} from '../../../domain/neosyntis/code.ts';
import { standardProblem } from '../../../domain/neosyntis/problems.ts';
import { CancelledUnseen, failure, TaskFailure } from './problem.ts';

/** A host that does not take a step for this long has it failed, with nothing run. */
const TAKEN_WITHIN_MS = 60_000;

/** A host that dies is noticed within this time; a Temporal that is away for longer looks the same from here. */
const HEARTBEAT_WITHIN_MS = 5_000;

/** Nobody can know what the step did. */
export interface Lost {
  lostHost: string;
}

/** By a host that ran nothing of it: its name has another holder by now. */
export class Refused extends TaskFailure {}

/**
 * Runs a step on a host, at most once. A host that was out of sight is asked what became of the step, when `asks`.
 * @throws TaskFailure when it is known that the step did not run, or ran before.
 */
export async function runCodeOn(host: string, step: CodeStep, asks: boolean): Promise<CodeResult | Lost> {
  const options = {
    taskQueue: hostQueue(host),
    // The process has its own limit; this one is for a host that forgot to enforce it.
    startToCloseTimeout: step.timeoutMs + 30_000,
    heartbeatTimeout: HEARTBEAT_WITHIN_MS,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  };
  const { runCode } = proxyActivities<CodeActivities>({
    ...options,
    scheduleToStartTimeout: TAKEN_WITHIN_MS,
    retry: { maximumAttempts: 1 },
  });
  const scheduledAtMs = Date.now();
  try {
    return await runCode(step);
  } catch (error) {
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
    const timeout = outOfSight(error);
    if (!timeout) return lossOf(error, host);
    if (CancellationScope.current().consideredCancelled) throw unseen(host);
    if (!asks) return { lostHost: host };
    return settle(host, options, { step, wasSeen: isAlive(timeout), scheduledAtMs });
  }
}

/** A host that says nothing is asked so often: one that is frozen takes questions and does not answer. */
const SILENT_ROUNDS = 3;
const ROUND_PAUSE_MS = 500;

/** Asks what became of a step, and stays with it. A host starts a step of one id once, so it may be asked again. */
async function settle(host: string, options: ActivityOptions, question: SettledStep) {
  const { settleCode } = proxyActivities<CodeActivities>({
    ...options,
    scheduleToStartTimeout: SETTLED_WITHIN_MS,
    retry: { maximumAttempts: 1 },
  });
  for (let silent = 0; silent < SILENT_ROUNDS; silent++) {
    try {
      return await settleCode(question);
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      const timeout = outOfSight(error);
      if (!timeout) break;
      if (CancellationScope.current().consideredCancelled) throw unseen(host);
      if (isAlive(timeout)) silent = 0;
    }
    await sleep(ROUND_PAUSE_MS);
  }
  return { lostHost: host };
}

/** A host that is asked to end a step and is not seen any more. */
const unseen = (host: string) =>
  new CancelledUnseen(
    `Host ${host} was out of sight when the step was to be ended. Whether it had its effect is unknown.`,
    { host },
  );

const isAlive = ({ lastHeartbeatDetails }: TimeoutFailure) => lastHeartbeatDetails !== undefined;

/** That the step was taken, and neither its end nor a sign of life came in time. */
function outOfSight({ cause }: ActivityFailure): TimeoutFailure | undefined {
  return cause instanceof TimeoutFailure && cause.timeoutType !== 'SCHEDULE_TO_START' ? cause : undefined;
}

/** @throws when it is known that nothing ran, or why. */
function lossOf(error: ActivityFailure, host: string): Lost {
  const { cause } = error;
  if (cause instanceof TimeoutFailure)
    throw failure(
      'communication',
      `Host ${host} did not take the step within ${TAKEN_WITHIN_MS / 1000} s; nothing ran.`,
    );
  if (!(cause instanceof ApplicationFailure)) throw error;
  if (cause.type === codeFailures.hostShutdown) return { lostHost: host };
  if (cause.type === SUPERSEDED) throw new Refused(standardProblem('communication', cause.message));
  if (cause.type === codeFailures.ranBefore)
    throw failure(
      'runtime',
      `Host ${host} ran this step before, in an execution of this run that was reset in Temporal, and runs no step ` +
        'twice. What it did then is unknown here; trigger a new run to run it again.',
      true,
    );
  throw failure('runtime', cause.message);
}
