import type { CallTask } from '../../../domain/neosyntis/dsl.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import { approvalWait } from '../../../domain/neosyntis/verbs/approval-wait.ts';
import { verbs } from '../../../domain/neosyntis/verbs.ts';
import type { Json } from '../../../domain/wire.ts';
import { failure } from '../engine/problem.ts';
import { stepPlace, type TaskExecutor } from '../engine/scope.ts';
import { sealingTemplate } from '../engine/sealing.ts';
import { timeoutMs } from '../engine/timeout.ts';
import { waitForApproval } from '../verbs/approval-wait.ts';

/** `call`: one of the registry's verbs. */
export const runCall: TaskExecutor<CallTask> = async (run, task, input, scope, variables, step) => {
  if (task.call === approvalWait.name) return waitForApproval(run, task, input, scope, variables, step);
  const given = task.with ?? {};
  const expanded = verbs.get(task.call)?.expand?.(given, input) ?? { args: given };
  if ('problem' in expanded) throw failure('expression', expanded.problem);
  const { value: args, sealed } = await sealingTemplate(run.evaluator, expanded.args, input, variables);
  await run.budget.spend(byteLength([args, (sealed ?? null) as Json])); // it is JSON
  const place = { ...stepPlace(scope), timeoutMs: timeoutMs(task), ...(sealed ? { sealed } : {}) };
  return { output: await run.callVerb(task.call, args, place) };
};
