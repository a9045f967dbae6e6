import type { Json } from '../../domain/wire.ts';
import type { AnyTask } from './document.ts';
import { durationMs } from './durations.ts';
import { type Arguments, evaluate, holds, resolve } from './expressions.ts';
import { type ErrorObject, Fault, standardFault } from './fault.ts';
import { runFork } from './fork.ts';
import { runList } from './interpreter.ts';
import type { Interpretation, Place, Result } from './strand.ts';
import { runTry } from './try.ts';

/** What is particular to a kind of task, on its transformed input. */
export async function perform(
  run: Interpretation,
  task: AnyTask,
  input: Json,
  place: Place,
  given: () => Arguments,
): Promise<Result> {
  if (task.set !== undefined) return { output: await resolve(task.set, input, given()) };
  if (task.wait !== undefined) {
    place.strand.ms += durationMs(await resolve(task.wait, input, given()));
    return { output: input };
  }
  if (task.raise) throw new Fault(await raised(task.raise.error, input, given()));
  if (task.switch) return choose(task.switch, input, given());
  if (task.for) return loop(run, task, input, place, given);
  if (task.fork) return runFork(run, task.fork, input, place);
  if (task.try) return runTry(run, task, input, place, given);
  return runList(run, task.do ?? [], input, { ...place, path: `${place.path}/do` });
}

async function raised(error: Json, input: Json, given: Arguments): Promise<ErrorObject> {
  const made = (await resolve(error, input, given)) as { [key: string]: Json }; // an object stays one
  const texts = ['type', 'title', 'detail', 'instance'].filter((key) => made[key] !== undefined);
  if (texts.some((key) => typeof made[key] !== 'string' || made[key] === ''))
    throw new Fault(standardFault('validation', 400, 'an error is described by texts'));
  return made as unknown as ErrorObject; // its texts are texts, its status was written out
}

async function choose(cases: NonNullable<AnyTask['switch']>, input: Json, given: Arguments): Promise<Result> {
  const all = cases.flatMap((item) => Object.values(item));
  for (const one of all)
    if (one.when !== undefined && (await holds(one.when, input, given)))
      return { output: input, directive: one.then };
  const fallback = all.find(({ when }) => when === undefined);
  return fallback ? { output: input, directive: fallback.then } : { output: input };
}

async function loop(
  run: Interpretation,
  task: AnyTask,
  input: Json,
  place: Place,
  given: () => Arguments,
): Promise<Result> {
  const { each = 'item', at = 'index', in: source = null } = task.for ?? {};
  const items =
    typeof source === 'string'
      ? await evaluate(source, input, given())
      : await resolve(source, input, given());
  if (!Array.isArray(items)) throw new Fault(standardFault('expression', 400, '`for.in` gave no list'));
  let data = input;
  for (const [index, item] of items.entries()) {
    const round = { [each]: item, [at]: index };
    if (task.while !== undefined && !(await holds(task.while, data, { ...given(), ...round }))) break;
    const { output, directive } = await runList(run, task.do ?? [], data, {
      ...place,
      path: `${place.path}/do`,
      iteration: [...place.iteration, index],
      variables: { ...place.variables, ...round },
    });
    data = output;
    if (directive === 'end') return { output, directive };
  }
  return { output: data };
}
