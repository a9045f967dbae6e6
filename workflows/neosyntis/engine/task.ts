import type { Task } from '../../../domain/neosyntis/dsl.ts';
import { standardProblem } from '../../../domain/neosyntis/problems.ts';
import { VALUE_LIMIT_BYTES } from '../../../domain/neosyntis/runs.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';
import { executors, isLeavable, keywordOf } from '../tasks.ts';
import { noteAttempt, numberAttempt } from './attempts.ts';
import { dateTime } from './date-time.ts';
import type { Variables } from './evaluator.ts';
import { type Frame, framed, Unwound, valueIn } from './frames.ts';
import { failure, RunExhausted } from './problem.ts';
import type { Outcome, RunContext, Scope, StepScope, TaskExecutor } from './scope.ts';
import { recordStep, type StepState } from './step-record.ts';
import { timeoutMs, within } from './timeout.ts';

const EXECUTED_LIMIT = 1_000_000;

/** Of a task that was begun. */
interface TaskState {
  step: StepState;
  /** In ms since 1970. */
  startedAt: number;
}

/**
 * One task with its data flow, in the specification's order: `if` on the raw input, `input.from`, the task,
 * `output.as`, then `export.as` on the transformed output.
 */
export async function runTask(
  run: RunContext,
  name: string,
  task: Task,
  raw: Json,
  place: Scope,
  frame?: Frame,
): Promise<Outcome> {
  const begun = frame?.state as TaskState | undefined; // this function's own
  const leavable = begun ? () => {} : await run.leg.gate(run.recorder.flush);
  const scope = attempted(place, begun?.step.step.attempt);
  const step = recordStep(run, name, task, scope, begun?.step);
  const startedAt = begun?.startedAt ?? Date.now();
  const about: { [key: string]: Json } = {
    name,
    reference: scope.pointer,
    definition: task as Json, // a definition is JSON
    input: raw,
    startedAt: dateTime(new Date(startedAt)),
  };
  let variables: Variables = { ...run.constants, ...scope.variables, context: run.context, task: about };
  try {
    if (!begun) {
      limitRun(run);
      await run.budget.step();
      if (task.if !== undefined && !(await run.evaluator.condition(task.if, raw, variables))) {
        step.skipped(raw);
        return { output: raw };
      }
    }
    const input = frame ? (valueIn(frame, 'input') ?? null) : await inputOf(run, task, raw, variables);
    variables = { ...variables, input };
    if (!begun) step.started(input);
    // Code steps keep their own time limit, so that the process ends with its output's tail at hand.
    const limitMs = 'run' in task ? undefined : timeoutMs(task);
    if (isLeavable(task)) leavable();
    const work = () => execute(run, task, input, scope, variables, step, frame?.inside);
    const outcome = await framed(
      () => within(limitMs, work, startedAt),
      (inside) => ({
        state: { step: step.state(), startedAt } satisfies TaskState,
        values: { input },
        inside,
      }),
    );
    // What the tasks inside exported is the context now.
    variables = { ...variables, context: run.context, task: { ...about, output: outcome.output } };
    const { output, context } = await shapeOutput(run, task, outcome.output, variables);
    if (context !== undefined) run.context = context;
    step.completed(output, outcome);
    run.recorder.progressTo(scope.from + scope.span);
    return { ...outcome, output, ...directive(outcome, task) };
  } catch (error) {
    if (error instanceof Unwound) throw error;
    throw step.failed(error);
  } finally {
    leavable();
  }
}

const inputOf = async (run: RunContext, task: Task, raw: Json, variables: Variables): Promise<Json> =>
  task.input?.from === undefined ? raw : run.evaluator.shape(task.input.from, raw, variables);

/** A task that a `try` runs again is the same step, in its next attempt. */
function attempted(scope: Scope, known: number | undefined): StepScope {
  let attempt = known ?? numberAttempt(scope.attempts, scope.pointer);
  const again = () => {
    noteAttempt(scope.attempts, scope.pointer, ++attempt);
    return attempt;
  };
  return { ...scope, attempt, again };
}

function limitRun(run: RunContext) {
  if (++run.executed > EXECUTED_LIMIT) {
    const detail = `The run executed ${EXECUTED_LIMIT} tasks, the limit; does a loop never end?`;
    throw new RunExhausted(standardProblem('runtime', detail));
  }
}

const execute: TaskExecutor = (run, task, ...rest) => executors[keywordOf(task)](run, task, ...rest);

async function shapeOutput(run: RunContext, task: Task, raw: Json, variables: Variables) {
  const output =
    task.output?.as === undefined ? raw : await run.evaluator.shape(task.output.as, raw, variables);
  limitValue(output, 'output');
  if (task.export?.as === undefined) return { output };
  const context = await run.evaluator.shape(task.export.as, output, { ...variables, output });
  limitValue(context, 'exported context');
  return { output, context };
}

function limitValue(value: Json, what: string) {
  const bytes = byteLength(value);
  if (bytes > VALUE_LIMIT_BYTES)
    throw failure('runtime', `Its ${what} is ${bytes} bytes of JSON; ${VALUE_LIMIT_BYTES} is the limit.`);
}

/** `end` inside goes through; otherwise the task's own `then`, or what a switch chose. */
function directive(outcome: Outcome, task: Task): { directive?: string } {
  const chosen = outcome.directive ?? task.then;
  return chosen === undefined ? {} : { directive: chosen };
}
