import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  proxyActivities,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { CodeActivities } from '../../../activities/host/neosyntis/code.ts';
import type { SecretActivities } from '../../../activities/platform/neosyntis/secrets.ts';
import { hostQueue } from '../../../domain/names.ts';
import { type CodeStep, codeFailures, stepId } from '../../../domain/neosyntis/code.ts';
import { failure, TaskFailure } from './problem.ts';
import type { Outcome } from './scope.ts';

/** A step without its id; distributed over the kinds of step. */
type Without<T> = T extends unknown ? Omit<T, 'step'> : never;

export type CodeRunner = (step: Without<CodeStep>) => Promise<Outcome>;

/** A host that does not take a step for this long has it failed, with nothing run. */
const TAKEN_WITHIN_MS = 60_000;

/**
 * Runs code on a worker host at most once: what it did cannot be known when the host dies in the middle, so it
 * is not tried again, and says so.
 */
export function createCodeRunner(
  place: () => Promise<{ host: string }>,
  grantSecrets: SecretActivities['grantSecrets'],
): CodeRunner {
  return async (given) => {
    const { host } = await place();
    if (given.sealed)
      await grantSecrets({ runId: given.runId, path: given.path, iteration: given.iteration, host });
    const { runCode } = proxyActivities<CodeActivities>({
      taskQueue: hostQueue(host),
      scheduleToStartTimeout: TAKEN_WITHIN_MS,
      // The process has its own limit; this one is for a host that forgot to enforce it.
      startToCloseTimeout: given.timeoutMs + 30_000,
      // A host that dies is noticed within this time.
      heartbeatTimeout: 5_000,
      retry: { maximumAttempts: 1 },
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    });
    const step = stepId(given.runId, given.path, given.iteration);
    const result = await runCode({ ...given, step }).catch((error: unknown) => {
      throw described(error, host);
    });
    const logs = { host, stdoutBytes: result.stdoutBytes, stderrBytes: result.stderrBytes };
    if (result.outcome === 'problem') throw new TaskFailure(result.problem, false, logs);
    return { output: result.output, ...logs };
  };
}

function described(error: unknown, host: string): unknown {
  if (!(error instanceof ActivityFailure)) return error;
  const { cause } = error;
  if (cause instanceof TimeoutFailure && cause.timeoutType === 'SCHEDULE_TO_START')
    return failure(
      'communication',
      `Host ${host} did not take the step within ${TAKEN_WITHIN_MS / 1000} s; nothing ran.`,
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
