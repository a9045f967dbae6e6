import type { DoTask } from '../../../domain/neosyntis/dsl.ts';
import type { TaskExecutor } from '../engine/scope.ts';

/** `do`: its tasks one after another; puts out what the last one put out. */
export const runDo: TaskExecutor<DoTask> = (run, task, input, scope, _variables, _step, frame) =>
  run.tasks.list(run, task.do, input, { ...scope, pointer: `${scope.pointer}/do` }, frame);
