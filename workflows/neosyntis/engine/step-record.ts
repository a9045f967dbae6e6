import { ActivityFailure, CancelledFailure, isCancellation } from '@temporalio/workflow';
import type { Task } from '../../../domain/neosyntis/dsl.ts';
import { isIdempotent } from '../../../domain/neosyntis/idempotent.ts';
import type { StepChange, StepLogs } from '../../../domain/neosyntis/projection.ts';
import type { Reused } from '../../../domain/neosyntis/reuse.ts';
import type { RunProblem } from '../../../domain/neosyntis/runs.ts';
import { isShownWhole, shown } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';
import { keywordOf } from '../tasks.ts';
import { CancelledUnseen, failure, RunExhausted, TaskFailure } from './problem.ts';
import type { Large } from './recorder.ts';
import type { Outcome, RunContext, StepScope } from './scope.ts';

/** A step that was begun, for another execution of the run. */
export interface StepState {
  step: StepChange;
  admitted: boolean;
  /** In ms since 1970. */
  waitsSince?: number;
}

/**
 * Tells the recorder how a step goes. A `set` or a `switch` ends in the moment it begins, so it is told once.
 */
export function recordStep(run: RunContext, name: string, task: Task, scope: StepScope, begun?: StepState) {
  const keyword = keywordOf(task);
  const admitted = begun?.admitted ?? run.recorder.admit();
  const idempotent = isIdempotent(task);
  const step: StepChange = begun?.step ?? {
    path: scope.pointer,
    iteration: scope.iteration,
    name,
    kind: keyword,
    status: 'pending',
    attempt: scope.attempt,
    ...(idempotent === undefined ? {} : { idempotent }),
  };
  const now = () => new Date().toISOString();
  let waitsSince = begun?.waitsSince;
  let values: Large = {};
  const tell = (change: Partial<StepChange>) => {
    Object.assign(step, change);
    if (waitsSince !== undefined) waited(Date.now() - waitsSince);
    waitsSince = step.status === 'waiting' ? Date.now() : undefined;
    if (admitted) run.recorder.step({ ...step }, values);
    delete step.input; // told once
    values = {};
  };
  const waited = (ms: number) => {
    step.waitMs = (step.waitMs ?? 0) + ms;
  };
  /** As it is shown; a large one is kept beside that. */
  const told = (name: keyof Large, value: Json): Json => {
    if (!isShownWhole(value)) values = { ...values, [name]: value };
    return shown(value);
  };
  return {
    state: (): StepState => ({
      step: { ...step },
      admitted,
      ...(waitsSince === undefined ? {} : { waitsSince }),
    }),
    /** The number of the attempt that is under way. */
    attempt: () => step.attempt,
    started(input: Json) {
      Object.assign(step, { startedAt: now(), input: told('inputBlob', input) });
      if (keyword !== 'set' && keyword !== 'switch')
        tell({ status: keyword === 'wait' ? 'waiting' : 'running' });
    },
    /** A `listen` has begun to. */
    waits() {
      tell({ status: 'waiting' });
    },
    /** A `try` waits to run its tasks again. */
    retries(problem: RunProblem) {
      tell({ status: 'waiting', error: problem });
    },
    /** It runs them again. */
    again() {
      delete step.error;
      tell({ status: 'running' });
    },
    /** It waits for a person, by the approval of this id. */
    asks(approvalId: string, unknown?: { problem: RunProblem; logs: StepLogs }) {
      tell({
        status: 'waiting',
        approvalId,
        ...(unknown ? { error: unknown.problem, ...unknown.logs } : {}),
      });
    },
    /** Nobody knows what became of it (it may be lost with its host), and it begins again. */
    moves(attempt: number, { problem, logs }: TaskFailure) {
      tell({ status: 'unknown', endedAt: now(), error: problem, ...logs });
      for (const name of ['endedAt', 'error', 'host', 'waitMs'] as const) delete step[name];
      tell({ attempt, status: 'running', startedAt: now() });
      run.recorder.flush();
    },
    /** An attempt of what it calls has failed, and it waits for the next one, of this number. */
    repeats(attempt: number, problem: RunProblem) {
      tell({ status: 'failed', endedAt: now(), error: { ...problem, instance: scope.pointer } });
      for (const name of ['endedAt', 'waitMs', 'queueMs'] as const) delete step[name];
      tell({ attempt, status: 'waiting', startedAt: now() });
    },
    /** It waited for so long for a host to be there. */
    waited,
    skipped(input: Json) {
      const at = now();
      const output = told('outputBlob', input);
      tell({ status: 'skipped', startedAt: at, endedAt: at, input: told('inputBlob', input), output });
    },
    /** @param context what it exported, if it did. */
    completed(output: Json, outcome: Outcome, context?: Json) {
      delete step.error;
      tell({
        status: 'completed',
        endedAt: now(),
        output: told('outputBlob', output),
        ...(context === undefined ? {} : { context: [told('contextBlob', context)] }),
        ...(outcome.directive === undefined ? {} : { directive: outcome.directive }),
        ...logged(outcome),
      });
    },
    /** It is not done again: what it gave is known from an earlier run. */
    reused({ status, output, context, directive }: Reused) {
      const at = now();
      tell({
        ...{ status, startedAt: at, endedAt: at, reused: true, output: told('outputBlob', output) },
        ...(context === undefined ? {} : { context: [told('contextBlob', context[0])] }),
        ...(directive === undefined ? {} : { directive }),
      });
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

const logged = ({ host, queueMs, stdoutBytes, stderrBytes, correlationKeys }: Outcome) => ({
  ...(correlationKeys === undefined ? {} : { correlationKeys }),
  ...(host === undefined ? {} : { host }),
  ...(queueMs === undefined ? {} : { queueMs }),
  ...(stdoutBytes === undefined ? {} : { stdoutBytes, stderrBytes: stderrBytes ?? 0 }),
});
