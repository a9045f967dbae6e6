import { isTooDeep, VALUE_DEPTH_LIMIT } from '../../../domain/neosyntis/depth.ts';
import type { Task } from '../../../domain/neosyntis/dsl.ts';
import { standardProblem } from '../../../domain/neosyntis/problems.ts';
import type { Reused } from '../../../domain/neosyntis/reuse.ts';
import { VALUE_LIMIT_BYTES } from '../../../domain/neosyntis/runs.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';
import { executors, isLeavable, keywordOf } from '../tasks.ts';
import { decidesAtTimeout } from '../verbs/approval-wait.ts';
import { noteAttempt, numberAttempt } from './attempts.ts';
import { dateTime } from './date-time.ts';
import type { Variables } from './evaluator.ts';
import { runExtended } from './extensions.ts';
import { type Frame, framed, Unwound, valueIn } from './frames.ts';
import { untilKnown } from './outcome.ts';
import { failure, RunExhausted } from './problem.ts';
import type { Outcome, RunContext, Scope, StepScope, TaskExecutor } from './scope.ts';
import { recordStep, type StepRecord, type StepState } from './step-record.ts';
import { timeoutMs, within } from './timeout.ts';

const EXECUTED_LIMIT = 1_000_000;

/** Of a task that was begun. */
interface TaskState {
  step: StepState;
  /** In ms since 1970. */
  startedAt: number;
}

/**
 * One task with its data flow, in the specification's order: `if` on the raw input, `input.schema`, `input.from`, the
 * task, `output.as`, `output.schema`, then `export.as` on the transformed output, and `export.schema`.
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
  let variables: Variables = {
    ...run.constants,
    ...scope.variables,
    context: run.context,
    task: scope.extended ?? about,
  };
  try {
    run.standing.goesOn();
    if (!begun) {
      limitRun(run);
      await run.budget.step();
      const known = run.reuse && (await run.reuse.take(scope));
      if (known) return reused(run, step, known, scope);
      if (task.if !== undefined && !(await run.evaluator.condition(task.if, raw, variables))) {
        step.skipped(raw);
        return { output: raw };
      }
    }
    const input = frame ? (valueIn(frame, 'input') ?? null) : await inputOf(run, task, raw, variables);
    variables = { ...variables, input };
    if (!begun) step.started(input);
    // Code steps keep their own time limit, so that the process ends with its output's tail at hand.
    const isOwn = ('run' in task && !('workflow' in task.run)) || decidesAtTimeout(task);
    const limitMs = isOwn ? undefined : timeoutMs(task);
    if (isLeavable(task) || run.extensions.length > 0) leavable();
    const here = { input, scope, variables };
    const work = (at: StepScope, inside: Frame | undefined, isAgain: boolean) =>
      within(
        limitMs,
        () => execute(run, task, input, at, variables, step, inside),
        isAgain ? Date.now() : startedAt,
      );
    const attempted = { name, task, scope, step, work, leavable };
    const settled = (inside: Frame | undefined) => untilKnown(run, attempted, inside);
    const outcome = await framed(
      () => runExtended(run, task, about, here, settled, frame?.inside),
      (inside) => ({
        state: { step: step.state(), startedAt } satisfies TaskState,
        values: { input },
        inside,
      }),
    );
    // What the tasks inside exported is the context now.
    variables = {
      ...variables,
      context: run.context,
      task: scope.extended ?? { ...about, output: outcome.output },
    };
    const { output, context } = await shapeOutput(run, task, outcome.output, variables);
    if (context !== undefined) run.context = context;
    const done = { ...outcome, output, ...directive(outcome, task) };
    step.completed(output, done, context);
    run.recorder.progressTo(scope.from + scope.span);
    return done;
  } catch (error) {
    if (error instanceof Unwound) throw error;
    throw step.failed(error);
  } finally {
    leavable();
  }
}

/** The task is not done: it gave this in the run that this one repeats. */
function reused(run: RunContext, step: StepRecord, known: Reused, scope: Scope): Outcome {
  step.reused(known);
  if (known.context) [run.context] = known.context;
  run.recorder.progressTo(scope.from + scope.span);
  const { output, directive } = known;
  return directive === undefined ? { output } : { output, directive };
}

async function inputOf(run: RunContext, task: Task, raw: Json, variables: Variables): Promise<Json> {
  await run.checkSchema(task.input?.schema, raw, 'input');
  return task.input?.from === undefined ? raw : run.evaluator.shape(task.input.from, raw, variables);
}

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
  await run.checkSchema(task.output?.schema, output, 'output');
  if (task.export?.as === undefined) return { output };
  const context = await run.evaluator.shape(task.export.as, output, { ...variables, output });
  limitValue(context, 'exported context');
  await run.checkSchema(task.export.schema, context, 'exported context');
  return { output, context };
}

function limitValue(value: Json, what: string) {
  const bytes = byteLength(value);
  if (bytes > VALUE_LIMIT_BYTES)
    throw failure('runtime', `Its ${what} is ${bytes} bytes of JSON; ${VALUE_LIMIT_BYTES} is the limit.`);
  if (isTooDeep(value))
    throw failure('runtime', `Its ${what} is nested more than ${VALUE_DEPTH_LIMIT} levels deep, the limit.`);
}

/** `end` inside goes through; otherwise the task's own `then`, or what a switch chose. */
function directive(outcome: Outcome, task: Task): { directive?: string } {
  const chosen = outcome.directive ?? task.then;
  return chosen === undefined ? {} : { directive: chosen };
}
