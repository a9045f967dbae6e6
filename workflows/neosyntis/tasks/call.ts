import { type CallTask, entryOf } from '../../../domain/neosyntis/dsl.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import { approvalWait } from '../../../domain/neosyntis/verbs/approval-wait.ts';
import { verbs } from '../../../domain/neosyntis/verbs.ts';
import { isStdio } from '../../../domain/neosyntis/walk.ts';
import { pointer } from '../../../domain/pointer.ts';
import type { Json } from '../../../domain/wire.ts';
import { framed, valueIn } from '../engine/frames.ts';
import { failure } from '../engine/problem.ts';
import { stepPlace, type TaskExecutor } from '../engine/scope.ts';
import { sealingTemplate } from '../engine/sealing.ts';
import { timeoutMs } from '../engine/timeout.ts';
import { attemptsOf } from '../engine/verb-attempts.ts';
import { waitForApproval } from '../verbs/approval-wait.ts';
import { callStdio } from './mcp-stdio.ts';

/** `call`: a function of the document, or one of the registry's verbs. */
export const runCall: TaskExecutor<CallTask> = async (run, task, input, scope, variables, step, frame) => {
  const given = task.with ?? {};
  if (task.function) {
    const [name, called] = entryOf(task.function);
    const args = frame
      ? (valueIn(frame, 'args') ?? null)
      : await run.evaluator.template(given, input, variables);
    const place = { ...scope, pointer: pointer(scope.pointer, 'function', name), variables: {} };
    const { output, directive } = await framed(
      () => run.tasks.task(run, name, called, args, place, frame?.inside),
      (inside) => ({ state: {}, values: { args }, inside }),
    );
    // Its own `then` has no list to lead to; the run's end counts everywhere.
    return directive === 'end' ? { output, directive } : { output };
  }
  if (task.call === approvalWait.name)
    return waitForApproval(run, task, input, scope, variables, step, frame);
  if (isStdio(task)) return callStdio(run, task, input, scope, variables, step, frame);
  const expanded = verbs.get(task.call)?.expand?.(given, input) ?? { args: given };
  if ('problem' in expanded) throw failure('expression', expanded.problem);
  const { value: args, sealed } = await sealingTemplate(run.evaluator, expanded.args, input, variables);
  await run.budget.spend(byteLength([args, (sealed ?? null) as Json])); // it is JSON
  return run.callVerb(task.call, args, {
    ...{ ...stepPlace(scope), timeoutMs: timeoutMs(task), ...(sealed ? { sealed } : {}) },
    attempts: attemptsOf(run, scope, step),
  });
};
