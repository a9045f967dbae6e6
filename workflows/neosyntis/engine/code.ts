import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  patched,
  proxyActivities,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { CodeActivities } from '../../../activities/host/neosyntis/code.ts';
import { hostQueue } from '../../../domain/names.ts';
import { type CodeStep, codeFailures, SETTLED_WITHIN_MS, stepId } from '../../../domain/neosyntis/code.ts';
import { failure, TaskFailure } from './problem.ts';
import type { Outcome } from './scope.ts';

/** A step without its id; distributed over the kinds of step. */
type Without<T> = T extends unknown ? Omit<T, 'step'> : never;

export type CodeRunner = (step: Without<CodeStep>) => Promise<Outcome>;

/** A host that does not take a step for this long has it failed, with nothing run. */
const TAKEN_WITHIN_MS = 60_000;

/** A host that dies is noticed within this time; a Temporal that is away for longer looks the same from here. */
const HEARTBEAT_WITHIN_MS = 5_000;

/**
 * Runs code on a worker host at most once. A host that cannot be seen for a while is asked what became of the step;
 * when it died in the middle nobody knows what the step did, so it is not tried again, and says so.
 */
export function createCodeRunner(place: () => Promise<{ host: string }>): CodeRunner {
  return async (given) => {
    const { host } = await place();
    const options = {
      taskQueue: hostQueue(host),
      // The process has its own limit; this one is for a host that forgot to enforce it.
      startToCloseTimeout: given.timeoutMs + 30_000,
      heartbeatTimeout: HEARTBEAT_WITHIN_MS,
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    };
    const { runCode } = proxyActivities<CodeActivities>({
      ...options,
      scheduleToStartTimeout: TAKEN_WITHIN_MS,
      retry: { maximumAttempts: 1 },
    });
    // A host starts a step of one id once, so it may be asked again.
    const { settleCode } = proxyActivities<CodeActivities>({
      ...options,
      scheduleToStartTimeout: SETTLED_WITHIN_MS,
      retry: { initialInterval: 200, maximumInterval: '2 seconds' },
    });
    const step = { ...given, step: stepId(given.runId, given.path, given.iteration) };

    const scheduledAtMs = Date.now();
    const result = await runCode(step).catch(async (error: unknown) => {
      const timeout = outOfSight(error);
      if (!timeout || !patched('settle-code')) throw described(error, host);
      const wasSeen = timeout.lastHeartbeatDetails !== undefined;
      return settleCode({ step, wasSeen, scheduledAtMs }).catch((unsettled: unknown) => {
        throw isCancellation(unsettled) ? unsettled : described(error, host);
      });
    });
    const logs = { host, stdoutBytes: result.stdoutBytes, stderrBytes: result.stderrBytes };
    if (result.outcome === 'problem') throw new TaskFailure(result.problem, false, logs);
    return { output: result.output, ...logs };
  };
}

/** That the step was taken, and neither its end nor a sign of life came in time. */
function outOfSight(error: unknown): TimeoutFailure | undefined {
  if (!(error instanceof ActivityFailure && error.cause instanceof TimeoutFailure)) return undefined;
  return error.cause.timeoutType === 'SCHEDULE_TO_START' ? undefined : error.cause;
}

function described(error: unknown, host: string): unknown {
  if (!(error instanceof ActivityFailure)) return error;
  const { cause } = error;
  if (cause instanceof TimeoutFailure && cause.timeoutType === 'SCHEDULE_TO_START')
    return failure(
      'communication',
      `Host ${host} did not take the step within ${TAKEN_WITHIN_MS / 1000} s; nothing ran.`,
    );
  if (cause instanceof ApplicationFailure && cause.type === codeFailures.ranBefore)
    return failure(
      'runtime',
      `Host ${host} ran this step before, in an execution of this run that was reset in Temporal, and runs no step ` +
        'twice. What it did then is unknown here; trigger a new run to run it again.',
      true,
    );
  if (
    cause instanceof TimeoutFailure ||
    (cause instanceof ApplicationFailure &&
      Object.values<string | null | undefined>(codeFailures).includes(cause.type))
  )
    return failure(
      'runtime',
      `Host ${host} stopped while the step ran. Whether it had its effect is unknown, and it is not run again.`,
      true,
    );
  if (cause instanceof ApplicationFailure) return failure('runtime', cause.message);
  return error;
}
