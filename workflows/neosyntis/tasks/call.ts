import type { CallTask } from '../../../domain/neosyntis/dsl.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import { stepPlace, type TaskExecutor } from '../engine/scope.ts';

/** `call`: one of the registry's verbs. */
export const runCall: TaskExecutor<CallTask> = async (run, task, input, scope, variables) => {
  const args = await run.evaluator.template(task.with ?? {}, input, variables);
  await run.budget.spend(byteLength(args));
  return { output: await run.callVerb(task.call, args, stepPlace(scope)) };
};
