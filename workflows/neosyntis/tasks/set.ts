import type { SetTask } from '../../../domain/neosyntis/dsl.ts';
import type { TaskExecutor } from '../engine/scope.ts';

/** `set`: puts out the object given, its expressions evaluated on the task's input. */
export const runSet: TaskExecutor<SetTask> = async (run, task, input, _scope, variables) => ({
  output: await run.evaluator.template(task.set, input, variables),
});
