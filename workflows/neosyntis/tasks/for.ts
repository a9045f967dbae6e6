import type { ForTask } from '../../../domain/neosyntis/dsl.ts';
import type { Json } from '../../../domain/wire.ts';
import { failure } from '../engine/problem.ts';
import type { TaskExecutor } from '../engine/scope.ts';

const ITERATIONS_LIMIT = 10_000;

/** `for`: its tasks once for each item; each round gets what the one before put out. */
export const runFor: TaskExecutor<ForTask> = async (run, task, input, scope, variables) => {
  const { each = 'item', at = 'index' } = task.for;
  const items = await collection(task.for.in, () =>
    typeof task.for.in === 'string'
      ? run.evaluator.expression(task.for.in, input, variables)
      : run.evaluator.template(task.for.in, input, variables),
  );
  const span = scope.span / Math.max(1, items.length);
  let data = input;
  for (const [index, item] of items.entries()) {
    const loop = { [each]: item, [at]: index };
    const here = { ...variables, ...loop, context: run.context };
    if (task.while !== undefined && !(await run.evaluator.condition(task.while, data, here))) break;
    const outcome = await run.tasks.list(run, task.do, data, {
      ...scope,
      pointer: `${scope.pointer}/do`,
      iteration: [...scope.iteration, index],
      variables: { ...scope.variables, ...loop },
      from: scope.from + span * index,
      span,
    });
    data = outcome.output;
    if (outcome.directive === 'end') return outcome;
  }
  return { output: data };
};

async function collection(source: unknown, evaluate: () => Promise<Json>): Promise<Json[]> {
  const value = await evaluate();
  if (!Array.isArray(value))
    throw failure('expression', `for.in (${JSON.stringify(source)}) gave ${describe(value)}, not a list.`);
  if (value.length > ITERATIONS_LIMIT)
    throw failure('runtime', `for.in gave ${value.length} items; ${ITERATIONS_LIMIT} is the limit.`);
  return value;
}

const describe = (value: Json) => (value === null ? 'null' : `a value of type ${typeof value}`);
