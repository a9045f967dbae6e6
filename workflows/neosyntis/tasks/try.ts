import { errorVariable } from '../../../domain/neosyntis/dsl/try.ts';
import type { TryTask } from '../../../domain/neosyntis/dsl.ts';
import { isErrorLike } from '../../../domain/neosyntis/problems.ts';
import type { RunProblem } from '../../../domain/neosyntis/runs.ts';
import type { Json } from '../../../domain/wire.ts';
import { type AttemptsState, attemptsState, createAttempts, nextAttempt } from '../engine/attempts.ts';
import type { Variables } from '../engine/evaluator.ts';
import { type Frame, framed } from '../engine/frames.ts';
import { RunExhausted, TaskFailure } from '../engine/problem.ts';
import { attemptLimitMs, pauseMs } from '../engine/retry.ts';
import type { Outcome, RunContext, StepScope, TaskExecutor } from '../engine/scope.ts';
import { within } from '../engine/timeout.ts';

/** Where it stands; times are in ms since 1970. */
interface TryState {
  attempt: number;
  /** The first attempt. */
  startedAt: number;
  attemptAt: number;
  attempts: AttemptsState;
  /** Until the next attempt. */
  pausedUntil?: number;
  /** The error that is handled. */
  caught?: RunProblem;
}

/**
 * `try`: its tasks; an error that `catch` wants runs them again as `retry` says, then goes to `catch.do`. Without
 * either, the caught error is let go and the data passes through; when the retries are used up, it is not.
 */
export const runTry: TaskExecutor<TryTask> = async (run, task, input, scope, variables, step, frame) => {
  const known = frame?.state as TryState | undefined; // this function's own
  const attempts = createAttempts(known?.attempts);
  const now = Date.now();
  const state: Omit<TryState, 'attempts'> = known ?? { attempt: 1, startedAt: now, attemptAt: now };
  const limitMs = attemptLimitMs(task.catch.retry);
  const inside: StepScope = {
    ...scope,
    pointer: `${scope.pointer}/try`,
    attempts: [...scope.attempts, attempts],
  };
  const keeping = <T>(work: () => Promise<T>) =>
    framed(work, (inner) => ({
      state: { ...state, attempts: attemptsState(attempts) } satisfies TryState,
      inside: inner,
    }));
  let left: Frame | undefined = frame?.inside;
  const once = () => {
    const list = () => run.tasks.list(run, task.try, input, inside, left);
    return within(limitMs, list, state.attemptAt);
  };

  const { caught: problem } = state;
  if (problem) return keeping(() => handle(run, task, { problem }, input, scope, left));
  for (;;) {
    const { pausedUntil } = state;
    if (pausedUntil !== undefined) {
      await keeping(() => run.leg.sleepUntil(pausedUntil));
      step.again();
      delete state.pausedUntil;
      Object.assign(state, { attempt: state.attempt + 1, attemptAt: Date.now() });
      nextAttempt(attempts);
    }
    try {
      return await keeping(once);
    } catch (error) {
      left = undefined;
      if (!(error instanceof TaskFailure) || error instanceof RunExhausted) throw error;
      // An attempt that took too long has not said where.
      const problem = { instance: scope.pointer, ...error.problem };
      const caught = { [errorVariable(task)]: problem };
      const here = { ...variables, ...caught, context: run.context };
      const filter = task.catch.errors?.with;
      if (filter && !isErrorLike(problem, filter)) throw error;
      if (!(await allow(run, task.catch, input, here))) throw error;
      const ms = error.mayRepeat ? await pause(run, task, { ...state, input, here }) : undefined;
      if (ms === undefined) {
        state.caught = problem;
        return keeping(() => handle(run, task, { problem, error }, input, scope));
      }
      step.retries(problem);
      run.recorder.flush(ms);
      state.pausedUntil = Date.now() + ms;
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

interface Caught {
  problem: RunProblem;
  /** What goes on when nobody handles it. */
  error?: TaskFailure;
}

async function handle(
  run: RunContext,
  task: TryTask,
  { problem, error }: Caught,
  input: Json,
  scope: StepScope,
  frame?: Frame,
): Promise<Outcome> {
  const { do: tasks, then, retry } = task.catch;
  if (error && tasks === undefined && then === undefined && retry !== undefined) throw error;
  const place = {
    ...scope,
    pointer: `${scope.pointer}/catch/do`,
    variables: { ...scope.variables, [errorVariable(task)]: problem },
  };
  const outcome = tasks ? await run.tasks.list(run, tasks, input, place, frame) : { output: input };
  return outcome.directive === undefined && then !== undefined ? { ...outcome, directive: then } : outcome;
}
