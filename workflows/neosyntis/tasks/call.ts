import type { CallTask } from '../../../domain/neosyntis/dsl.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';
import type { TaskExecutor } from '../engine/scope.ts';
import { sealingTemplate } from '../engine/sealing.ts';

/** `call`: one of the registry's verbs. */
export const runCall: TaskExecutor<CallTask> = async (run, task, input, scope, variables) => {
  const { value: args, sealed } = await sealingTemplate(run.evaluator, task.with ?? {}, input, variables);
  run.recorder.flush();
  await run.budget.spend(byteLength([args, (sealed ?? null) as Json])); // it is JSON
  const step = { path: scope.pointer, iteration: scope.iteration, ...(sealed ? { sealed } : {}) };
  return { output: await run.callVerb(task.call, args, step) };
};
