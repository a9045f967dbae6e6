import { RaisedError } from '../../../domain/neosyntis/dsl/raise.ts';
import type { RaiseTask } from '../../../domain/neosyntis/dsl.ts';
import type { RunProblem } from '../../../domain/neosyntis/runs.ts';
import { schemaProblems } from '../../../domain/neosyntis/schema-problems.ts';
import { failure, TaskFailure } from '../engine/problem.ts';
import type { TaskExecutor } from '../engine/scope.ts';

/** `raise`: an error of the author's own, which a `try` around it may catch. */
export const runRaise: TaskExecutor<RaiseTask> = async (run, task, input, scope, variables) => {
  const error = await run.evaluator.template(task.raise.error, input, variables);
  const [wrong] = schemaProblems(RaisedError, error, '');
  if (wrong) throw failure('validation', `raise.error${wrong.path}: ${wrong.message}.`);
  const { title, ...problem } = error as Omit<RunProblem, 'title'> & { title?: string }; // checked just above
  throw new TaskFailure({ instance: scope.pointer, ...problem, title: title ?? 'Raised' });
};
