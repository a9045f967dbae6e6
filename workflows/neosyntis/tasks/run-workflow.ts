import type { RunTask } from '../../../domain/neosyntis/dsl.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';
import { stepPlace, type TaskExecutor } from '../engine/scope.ts';

/** A `run` of a workflow. */
export type RunWorkflowTask = RunTask & { run: Extract<RunTask['run'], { workflow: unknown }> };

/** `run: workflow`: a run of another workflow; puts out its output, or with `await: false` the task's input. */
export const runWorkflow: TaskExecutor<RunWorkflowTask> = async (run, task, input, scope, variables) => {
  const { workflow, await: isAwaited = true } = task.run;
  const { namespace, name, version = 'latest' } = workflow;
  const given = await run.evaluator.template(workflow.input ?? null, input, variables);
  run.recorder.flush();
  await run.budget.spend(byteLength(given));
  const output = await run.child(stepPlace(scope), {
    target: { namespace, name, version },
    input: given,
    isAwaited,
  });
  return { output: isAwaited ? (output as Json) : input }; // an awaited run has one
};
