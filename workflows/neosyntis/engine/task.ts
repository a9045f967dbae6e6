import { CancellationScope, CancelledFailure, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { Task } from '../../../domain/neosyntis/dsl.ts';
import { VALUE_LIMIT_BYTES } from '../../../domain/neosyntis/runs.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';
import { executors, keywordOf } from '../tasks.ts';
import { dateTime } from './date-time.ts';
import type { Variables } from './evaluator.ts';
import { failure } from './problem.ts';
import type { Outcome, RunContext, Scope } from './scope.ts';
import { recordStep } from './step-record.ts';
import { timeoutMs } from './timeout.ts';

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
    const outcome = await withTimeout(task, () =>
      execute(run, task, input, { ...scope, again: step.again }, variables),
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

/** A task that a `then` comes back to is told apart by one more number. */
function visited(run: RunContext, scope: Scope): Scope {
  const key = `${scope.pointer} ${scope.iteration.join('.')}`;
  const visits = run.visits.get(key) ?? 0;
  run.visits.set(key, visits + 1);
  return visits === 0 ? scope : { ...scope, iteration: [...scope.iteration, visits] };
}

function limitRun(run: RunContext) {
  if (++run.executed > EXECUTED_LIMIT)
    throw failure('runtime', `The run executed ${EXECUTED_LIMIT} tasks, the limit; does a loop never end?`);
  if (workflowInfo().historyLength > HISTORY_LIMIT)
    throw failure(
      'runtime',
      `The run's history passed ${HISTORY_LIMIT} events, the limit; make it several runs.`,
    );
}

const execute = (run: RunContext, task: Task, input: Json, scope: Scope, variables: Variables) =>
  executors[keywordOf(task)](run, task, input, scope, variables);

/** Code steps keep their own time limit, so that the process ends with its output's tail at hand. */
async function withTimeout(task: Task, work: () => Promise<Outcome>): Promise<Outcome> {
  const ms = timeoutMs(task);
  if (ms === undefined || 'run' in task) return work();
  const limit = new CancellationScope({ cancellable: true, timeout: ms });
  try {
    return await limit.run(work);
  } catch (error) {
    const cancelledFromOutside = CancellationScope.current().consideredCancelled;
    if (isCancellation(error) && !cancelledFromOutside)
      throw failure('timeout', `It took longer than ${ms} ms.`);
    throw error;
  }
}

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
