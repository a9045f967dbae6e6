import { ActivityFailure, CancelledFailure, isCancellation } from '@temporalio/workflow';
import type { Task } from '../../../domain/neosyntis/dsl.ts';
import { isIdempotent } from '../../../domain/neosyntis/idempotent.ts';
import type { StepChange, StepLogs } from '../../../domain/neosyntis/projection.ts';
import type { RunProblem } from '../../../domain/neosyntis/runs.ts';
import { shown } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';
import { keywordOf } from '../tasks.ts';
import { CancelledUnseen, failure, RunExhausted, TaskFailure } from './problem.ts';
import type { Outcome, RunContext, StepScope } from './scope.ts';

/**
 * Tells the recorder how a step goes. A `set` or a `switch` ends in the moment it begins, so it is told once.
 */
export function recordStep(run: RunContext, name: string, task: Task, scope: StepScope) {
  const keyword = keywordOf(task);
  const admitted = run.recorder.admit();
  const idempotent = isIdempotent(task);
  const step: StepChange = {
    path: scope.pointer,
    iteration: scope.iteration,
    name,
    kind: keyword,
    status: 'pending',
    attempt: scope.attempt,
    ...(idempotent === undefined ? {} : { idempotent }),
  };
  const now = () => new Date().toISOString();
  const tell = (change: Partial<StepChange>) => {
    Object.assign(step, change);
    if (admitted) run.recorder.step({ ...step });
    delete step.input; // told once
  };
  return {
    started(input: Json) {
      Object.assign(step, { startedAt: now(), input: shown(input) });
      if (keyword !== 'set' && keyword !== 'switch')
        tell({ status: keyword === 'wait' ? 'waiting' : 'running' });
    },
    /** A `try` waits to run its tasks again. */
    retries(problem: RunProblem) {
      tell({ status: 'waiting', error: problem });
    },
    /** It runs them again. */
    again(attempt = scope.attempt) {
      delete step.error;
      tell({ status: 'running', attempt });
    },
    /** It waits for a person, by the approval of this id. */
    asks(approvalId: string, unknown?: { problem: RunProblem; logs: StepLogs }) {
      tell({
        status: 'waiting',
        approvalId,
        ...(unknown ? { error: unknown.problem, ...unknown.logs } : {}),
      });
    },
    /** It is given to a host again. */
    moves(attempt: number) {
      tell({ attempt });
      run.recorder.flush();
    },
    skipped(input: Json) {
      const at = now();
      tell({ status: 'skipped', startedAt: at, endedAt: at, input: shown(input), output: shown(input) });
    },
    completed(output: Json, outcome: Outcome) {
      delete step.error;
      tell({ status: 'completed', endedAt: now(), output: shown(output), ...logged(outcome) });
    },
    /** @returns the error to go on with: a failure that names the task, or what it was. */
    failed(error: unknown): unknown {
      if (error instanceof CancelledUnseen) {
        const problem = { ...error.problem, instance: scope.pointer };
        tell({ status: 'unknown', endedAt: now(), error: problem, ...error.logs });
        return new CancelledFailure(error.message);
      }
      if (isCancellation(error)) {
        tell({ status: 'cancelled', endedAt: now() });
        return error;
      }
      const failed = error instanceof ActivityFailure ? failure('runtime', unexplained(error)) : error;
      if (!(failed instanceof TaskFailure)) return failed;
      const problem = { ...failed.problem, instance: failed.problem.instance ?? scope.pointer };
      tell({
        status: failed.outcomeUnknown ? 'unknown' : 'failed',
        endedAt: now(),
        error: problem,
        ...failed.logs,
      });
      if (failed instanceof RunExhausted) return new RunExhausted(problem);
      return new TaskFailure(problem, false, {}, failed.mayRepeat || task.metadata?.idempotent === true);
    },
  };
}

export type StepRecord = ReturnType<typeof recordStep>;

/** Of the platform's own work; what went wrong there is in its log and in Temporal. */
const unexplained = (error: ActivityFailure) => `The platform could not do its part (${error.activityType}).`;

const logged = ({ host, stdoutBytes, stderrBytes }: Outcome) => ({
  ...(host === undefined ? {} : { host }),
  ...(stdoutBytes === undefined ? {} : { stdoutBytes, stderrBytes: stderrBytes ?? 0 }),
});
