import type { ForTask } from '../../../domain/neosyntis/dsl.ts';
import type { Json } from '../../../domain/wire.ts';
import { type Frame, framed, valueIn } from '../engine/frames.ts';
import { failure } from '../engine/problem.ts';
import type { TaskExecutor } from '../engine/scope.ts';

const ITERATIONS_LIMIT = 100_000;

interface ForState {
  index: number;
}

/** `for`: its tasks once for each item; each round gets what the one before put out. */
export const runFor: TaskExecutor<ForTask> = async (run, task, input, scope, variables, _step, frame) => {
  const { each = 'item', at = 'index' } = task.for;
  const items = await collection(task.for.in, () => {
    const known = valueIn(frame, 'items');
    if (known !== undefined) return Promise.resolve(known);
    return typeof task.for.in === 'string'
      ? run.evaluator.expression(task.for.in, input, variables)
      : run.evaluator.template(task.for.in, input, variables);
  });
  const span = scope.span / Math.max(1, items.length);
  let data = frame ? (valueIn(frame, 'data') ?? null) : input;

  async function round(index: number, inside: Frame | undefined) {
    if (!inside) run.leg.round();
    const loop = { [each]: items[index] ?? null, [at]: index };
    if (task.while !== undefined && !inside) {
      const here = { ...variables, ...loop, context: run.context };
      if (!(await run.evaluator.condition(task.while, data, here))) return undefined;
    }
    const place = {
      ...scope,
      pointer: `${scope.pointer}/do`,
      iteration: [...scope.iteration, index],
      variables: { ...scope.variables, ...loop },
      from: scope.from + span * index,
      span,
    };
    return run.tasks.list(run, task.do, data, place, inside);
  }

  const first = (frame?.state as ForState | undefined)?.index ?? 0; // this function's own
  for (let index = first; index < items.length; index++) {
    const outcome = await framed(
      () => round(index, index === first ? frame?.inside : undefined),
      (inside) => ({ state: { index } satisfies ForState, values: { items, data }, inside }),
    );
    if (!outcome) break;
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
