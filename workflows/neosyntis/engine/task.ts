import { CancellationScope, CancelledFailure, workflowInfo } from '@temporalio/workflow';
import type { Task } from '../../../domain/neosyntis/dsl.ts';
import { standardProblem } from '../../../domain/neosyntis/problems.ts';
import { VALUE_LIMIT_BYTES } from '../../../domain/neosyntis/runs.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';
import { executors, keywordOf } from '../tasks.ts';
import { decidesAtTimeout } from '../verbs/approval-wait.ts';
import { dateTime } from './date-time.ts';
import type { Variables } from './evaluator.ts';
import { untilKnown } from './outcome.ts';
import { failure, RunExhausted } from './problem.ts';
import type { Outcome, RunContext, Scope, StepScope, TaskExecutor } from './scope.ts';
import { recordStep } from './step-record.ts';
import { timeoutMs, within } from './timeout.ts';

const EXECUTED_LIMIT = 100_000;

/** Temporal ends a workflow at 51,200 events, without a word to those who watch. */
const HISTORY_LIMIT = 45_000;

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
): Promise<Outcome> {
  const scope = visited(run, place);
  const step = recordStep(run, name, task, scope);
  const about: { [key: string]: Json } = {
    name,
    reference: scope.pointer,
    definition: task as Json, // a definition is JSON
    input: raw,
    startedAt: dateTime(new Date()),
  };
  let variables: Variables = { ...run.constants, ...scope.variables, context: run.context, task: about };
  try {
    limitRun(run);
    await run.budget.step();
    // A run of pure tasks has nothing else that notices.
    if (CancellationScope.current().consideredCancelled)
      throw new CancelledFailure('cancelled between two tasks');
    if (task.if !== undefined && !(await run.evaluator.condition(task.if, raw, variables))) {
      step.skipped(raw);
      return { output: raw };
    }
    const input =
      task.input?.from === undefined ? raw : await run.evaluator.shape(task.input.from, raw, variables);
    variables = { ...variables, input };
    step.started(input);
    // Code steps keep their own time limit, so that the process ends with its output's tail at hand.
    const limitMs = 'run' in task || decidesAtTimeout(task) ? undefined : timeoutMs(task);
    const outcome = await untilKnown(run, name, task, scope, step, (at) =>
      within(limitMs, () => execute(run, task, input, at, variables, step)),
    );
    // What the tasks inside exported is the context now.
    variables = { ...variables, context: run.context, task: { ...about, output: outcome.output } };
    const { output, context } = await shapeOutput(run, task, outcome.output, variables);
    if (context !== undefined) run.context = context;
    step.completed(output, outcome);
    run.recorder.progressTo(scope.from + scope.span);
    return { ...outcome, output, ...directive(outcome, task) };
  } catch (error) {
    throw step.failed(error);
  }
}

/**
 * A task that a `then` comes back to is told apart by one more number; one that a `try` runs again is the same
 * step, in its next attempt. What a `then` leads back to may have tasks that do so themselves: a number that one of
 * them has already is left out, as the place of a step is what tells its effects from all others of the run.
 */
function visited(run: RunContext, scope: Scope): StepScope {
  const { visits } = run;
  const key = (iteration: number[]) => `${scope.pointer} ${iteration.join('.')} ${scope.attempts.join('.')}`;
  let { iteration } = scope;
  for (let visit = count(visits, key(iteration)); visit > 1; visit = count(visits, key(scope.iteration))) {
    iteration = [...scope.iteration, visit - 1];
    if (visits.has(key(iteration))) continue;
    visits.set(key(iteration), 1);
    break;
  }
  const attempts = `${scope.pointer} ${iteration.join('.')} attempts`;
  const attempt = scope.attempts.length === 0 ? 1 : count(visits, attempts);
  const again = () => {
    if (!visits.has(attempts)) visits.set(attempts, attempt);
    return count(visits, attempts);
  };
  return { ...scope, iteration, attempt, again };
}

function count(counts: Map<string, number>, key: string): number {
  const next = (counts.get(key) ?? 0) + 1;
  counts.set(key, next);
  return next;
}

function limitRun(run: RunContext) {
  if (++run.executed > EXECUTED_LIMIT)
    throw exhausted(`The run executed ${EXECUTED_LIMIT} tasks, the limit; does a loop never end?`);
  if (workflowInfo().historyLength > HISTORY_LIMIT)
    throw exhausted(`The run's history passed ${HISTORY_LIMIT} events, the limit; make it several runs.`);
}

const exhausted = (detail: string) => new RunExhausted(standardProblem('runtime', detail));

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
