import type { Task } from '../../../domain/neosyntis/dsl.ts';
import { extendsKind, type PlacedExtension } from '../../../domain/neosyntis/extensions.ts';
import type { Json } from '../../../domain/wire.ts';
import { keywordOf } from '../tasks.ts';
import type { Variables } from './evaluator.ts';
import type { Outcome, RunContext, StepScope } from './scope.ts';

/**
 * A task with the extensions that apply to it: their `before` lists, the task, their `after` lists, each in the order
 * written. They look on, and what they put out is let go; unless a `before` exits, which then stands for the task.
 */
export async function runExtended(
  run: RunContext,
  task: Task,
  about: { [key: string]: Json },
  { input, scope, variables }: { input: Json; scope: StepScope; variables: Variables },
  execute: () => Promise<Outcome>,
): Promise<Outcome> {
  if (scope.extended !== undefined || run.extensions.length === 0) return execute();
  // The specification's examples ask for the definition's own fields, too: `$task.with`.
  const told = { ...(task as { [key: string]: Json }), ...about, input }; // a definition is JSON
  const chosen = await applying(run, task, input, { ...variables, task: told });
  const places = new Map(chosen.map(({ path }) => [path, [...scope.iteration, times(run, path)]]));
  const list = ({ path, extension }: PlacedExtension, key: 'before' | 'after', data: Json, extended: Json) =>
    run.tasks.list(run, extension[key] ?? [], data, {
      ...scope,
      pointer: `${path}/${key}`,
      iteration: places.get(path) ?? [],
      extended,
      span: 0,
    });
  for (const one of chosen) {
    const { output, exited, directive } = await list(one, 'before', input, told);
    if (directive !== undefined) return { output, directive };
    if (exited) return { output };
  }
  const outcome = await execute();
  for (const one of chosen) {
    const { directive } = await list(one, 'after', outcome.output, { ...told, output: outcome.output });
    if (directive !== undefined) return { ...outcome, directive };
  }
  return outcome;
}

async function applying(run: RunContext, task: Task, input: Json, variables: Variables) {
  const chosen: PlacedExtension[] = [];
  for (const one of run.extensions) {
    const { when } = one.extension;
    if (!extendsKind(one.extension, keywordOf(task))) continue;
    if (when === undefined || (await run.evaluator.condition(when, input, variables))) chosen.push(one);
  }
  return chosen;
}

/** How often it was applied before: with it the steps inside are told apart. */
function times({ visits }: RunContext, path: string): number {
  const before = visits.get(path) ?? 0;
  visits.set(path, before + 1);
  return before;
}
