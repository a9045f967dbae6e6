import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { Task } from '../../../domain/neosyntis/dsl.ts';
import type { StepChange } from '../../../domain/neosyntis/projection.ts';
import { VALUE_LIMIT_BYTES } from '../../../domain/neosyntis/runs.ts';
import type { Json } from '../../../domain/wire.ts';
import { executors, keywordOf } from '../tasks.ts';
import { byteLength, type Variables } from './evaluator.ts';
import { failure, TaskFailure } from './problem.ts';
import type { Outcome, RunContext, Scope } from './scope.ts';
import { timeoutMs } from './timeout.ts';

const EXECUTED_LIMIT = 100_000;

/**
 * One task with its data flow, in the specification's order: `if` on the raw input, `input.from`, the task,
 * `output.as`, then `export.as` on the transformed output.
 */
export async function runTask(
  run: RunContext,
  name: string,
  task: Task,
  raw: Json,
  scope: Scope,
): Promise<Outcome> {
  const step = startStep(run, name, task, scope);
  const about: Json = {
    name,
    reference: scope.pointer,
    definition: task as Json,
    input: raw,
    startedAt: moment(),
  }; // a definition is JSON
  let variables: Variables = { ...run.constants, ...scope.variables, context: run.context, task: about };
  try {
    limitSteps(run);
    if (task.if !== undefined && !(await run.evaluator.condition(task.if, raw, variables))) {
      step.ended('skipped', { input: raw, output: raw });
      return { output: raw };
    }
    const input =
      task.input?.from === undefined ? raw : await run.evaluator.shape(task.input.from, raw, variables);
    variables = { ...variables, input };
    step.started(input);
    const outcome = await withTimeout(task, () => execute(run, task, input, scope, variables));
    const { output, context } = await shapeOutput(run, task, outcome.output, variables);
    if (context !== undefined) run.context = context;
    step.ended('completed', { output, ...logged(outcome) });
    run.recorder.progressTo(scope.from + scope.span);
    return { ...outcome, output, ...directive(outcome, task) };
  } catch (error) {
    throw step.failed(error);
  }
}

const moment = (): Json => new Date().toISOString();

function limitSteps(run: RunContext) {
  if (++run.executed > EXECUTED_LIMIT)
    throw failure('runtime', `The run executed ${EXECUTED_LIMIT} tasks, the limit; does a loop never end?`);
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

const logged = ({ host, stdoutBytes, stderrBytes }: Outcome) => ({
  ...(host === undefined ? {} : { host }),
  ...(stdoutBytes === undefined ? {} : { stdoutBytes, stderrBytes: stderrBytes ?? 0 }),
});

/** Tells the recorder how a step goes. A step that ends within the workflow task it began in is told once. */
function startStep(run: RunContext, name: string, task: Task, scope: Scope) {
  const keyword = keywordOf(task);
  const admitted = run.recorder.admit();
  const isPure = keyword === 'set' || keyword === 'switch';
  const step: StepChange = {
    path: scope.pointer,
    iteration: scope.iteration,
    name,
    kind: keyword,
    status: 'pending',
    attempt: 1,
  };
  const tell = (change: Partial<StepChange>) => {
    Object.assign(step, change);
    if (admitted) run.recorder.step({ ...step });
    delete step.input; // told once
  };
  return {
    started(input: Json) {
      Object.assign(step, { startedAt: moment(), input });
      if (!isPure) tell({ status: keyword === 'wait' ? 'waiting' : 'running' });
    },
    ended(status: 'completed' | 'skipped', data: Partial<StepChange>) {
      const at = new Date().toISOString();
      tell({ startedAt: step.startedAt ?? at, ...data, status, endedAt: at });
    },
    failed(error: unknown): unknown {
      const at = new Date().toISOString();
      if (isCancellation(error)) {
        tell({ status: 'cancelled', endedAt: at });
        return error;
      }
      if (!(error instanceof TaskFailure)) return error;
      const problem = { ...error.problem, instance: error.problem.instance ?? scope.pointer };
      tell({
        status: error.outcomeUnknown ? 'unknown' : 'failed',
        endedAt: at,
        error: problem,
        ...error.logs,
      });
      return new TaskFailure(problem, false);
    },
  };
}
