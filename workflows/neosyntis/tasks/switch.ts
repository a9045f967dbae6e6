import type { SwitchTask } from '../../../domain/neosyntis/dsl.ts';
import type { TaskExecutor } from '../engine/scope.ts';

/** `switch`: the first case that holds, else the default one, decides where to go on; data passes through. */
export const runSwitch: TaskExecutor<SwitchTask> = async (run, task, input, _scope, variables) => {
  let chosen: string | undefined;
  for (const one of task.switch.flatMap((item) => Object.values(item))) {
    if (one.when === undefined) chosen ??= one.then;
    else if (await run.evaluator.condition(one.when, input, variables))
      return { output: input, directive: one.then };
  }
  return chosen === undefined ? { output: input } : { output: input, directive: chosen };
};
