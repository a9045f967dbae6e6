import type { CallTask } from '../../../domain/neosyntis/dsl.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import { verbs } from '../../../domain/neosyntis/verbs.ts';
import { failure } from '../engine/problem.ts';
import { stepPlace, type TaskExecutor } from '../engine/scope.ts';
import { timeoutMs } from '../engine/timeout.ts';

/** `call`: one of the registry's verbs. */
export const runCall: TaskExecutor<CallTask> = async (run, task, input, scope, variables) => {
  const given = task.with ?? {};
  const expanded = verbs.get(task.call)?.expand?.(given, input) ?? { args: given };
  if ('problem' in expanded) throw failure('expression', expanded.problem);
  const args = await run.evaluator.template(expanded.args, input, variables);
  await run.budget.spend(byteLength(args));
  const step = { ...stepPlace(scope), timeoutMs: timeoutMs(task) };
  return { output: await run.callVerb(task.call, args, step) };
};
