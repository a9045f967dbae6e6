import type { CallTask } from '../../../domain/neosyntis/dsl.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import { verbs } from '../../../domain/neosyntis/verbs.ts';
import type { Json } from '../../../domain/wire.ts';
import { failure } from '../engine/problem.ts';
import { stepPlace, type TaskExecutor } from '../engine/scope.ts';
import { sealingTemplate } from '../engine/sealing.ts';
import { timeoutMs } from '../engine/timeout.ts';

/** `call`: one of the registry's verbs. */
export const runCall: TaskExecutor<CallTask> = async (run, task, input, scope, variables) => {
  const given = task.with ?? {};
  const expanded = verbs.get(task.call)?.expand?.(given, input) ?? { args: given };
  if ('problem' in expanded) throw failure('expression', expanded.problem);
  const { value: args, sealed } = await sealingTemplate(run.evaluator, expanded.args, input, variables);
  await run.budget.spend(byteLength([args, (sealed ?? null) as Json])); // it is JSON
  const step = { ...stepPlace(scope), timeoutMs: timeoutMs(task), ...(sealed ? { sealed } : {}) };
  return run.callVerb(task.call, args, step);
};
