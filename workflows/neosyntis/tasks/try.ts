import { sleep } from '@temporalio/workflow';
import { errorVariable } from '../../../domain/neosyntis/dsl/try.ts';
import type { TryTask } from '../../../domain/neosyntis/dsl.ts';
import { isErrorLike } from '../../../domain/neosyntis/problems.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Variables } from '../engine/evaluator.ts';
import { RunExhausted, TaskFailure } from '../engine/problem.ts';
import { attemptLimitMs, pauseMs } from '../engine/retry.ts';
import type { Outcome, RunContext, Scope, TaskExecutor } from '../engine/scope.ts';
import { within } from '../engine/timeout.ts';

/**
 * `try`: its tasks; an error that `catch` wants runs them again as `retry` says, then goes to `catch.do`. Without
 * either, the caught error is let go and the data passes through; when the retries are used up, it is not.
 */
export const runTry: TaskExecutor<TryTask> = async (run, task, input, scope, variables, step) => {
  const startedAt = Date.now();
  const limitMs = attemptLimitMs(task.catch.retry);
  for (let attempt = 1; ; attempt++) {
    try {
      const inside = { ...scope, pointer: `${scope.pointer}/try`, attempts: [...scope.attempts, attempt] };
      return await within(limitMs, () => run.tasks.list(run, task.try, input, inside));
    } catch (error) {
      if (!(error instanceof TaskFailure) || error instanceof RunExhausted) throw error;
      // An attempt that took too long has not said where.
      const problem = { instance: scope.pointer, ...error.problem };
      const caught = { [errorVariable(task)]: problem };
      const here = { ...variables, ...caught, context: run.context };
      const filter = task.catch.errors?.with;
      if (filter && !isErrorLike(problem, filter)) throw error;
      if (!(await allow(run, task.catch, input, here))) throw error;
      const ms = error.mayRepeat ? await pause(run, task, { attempt, startedAt, input, here }) : undefined;
      if (ms === undefined)
        return handle(run, task, error, input, { ...scope, variables: { ...scope.variables, ...caught } });
      step.retries(problem);
      run.recorder.flush(ms);
      if (ms > 0) await sleep(ms);
      step.again();
    }
  }
};

interface Conditions {
  when?: string;
  exceptWhen?: string;
}

/** What `when` and `exceptWhen` of a `catch` or a `retry` say of an error. */
async function allow(run: RunContext, { when, exceptWhen }: Conditions, input: Json, here: Variables) {
  if (when !== undefined && !(await run.evaluator.condition(when, input, here))) return false;
  return exceptWhen === undefined || !(await run.evaluator.condition(exceptWhen, input, here));
}

interface Attempted {
  attempt: number;
  /** Of the first attempt. */
  startedAt: number;
  input: Json;
  here: Variables;
}

/** How long until the next attempt; nothing when there is none. */
async function pause(run: RunContext, task: TryTask, { attempt, startedAt, input, here }: Attempted) {
  const { retry } = task.catch;
  if (!retry || !(await allow(run, retry, input, here))) return undefined;
  return pauseMs(retry, { attempt, elapsedMs: Date.now() - startedAt, random: Math.random() });
}

async function handle(
  run: RunContext,
  task: TryTask,
  error: TaskFailure,
  input: Json,
  scope: Scope,
): Promise<Outcome> {
  const { do: tasks, then, retry } = task.catch;
  if (tasks === undefined && then === undefined && retry !== undefined) throw error;
  const outcome = tasks
    ? await run.tasks.list(run, tasks, input, { ...scope, pointer: `${scope.pointer}/catch/do` })
    : { output: input };
  return outcome.directive === undefined && then !== undefined ? { ...outcome, directive: then } : outcome;
}
