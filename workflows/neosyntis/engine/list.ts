import { entryOf, type TaskList } from '../../../domain/neosyntis/dsl.ts';
import { pointer } from '../../../domain/pointer.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Outcome, RunContext, Scope } from './scope.ts';

/** A `do` list: each task gets what the one before put out, and says where to go on. */
export async function runList(run: RunContext, tasks: TaskList, input: Json, scope: Scope): Promise<Outcome> {
  const names = tasks.map((item) => entryOf(item)[0]);
  const span = scope.span / Math.max(1, tasks.length);
  let data = input;
  let at = 0;
  while (at < tasks.length) {
    const [name, task] = entryOf(tasks[at] ?? {});
    const outcome = await run.tasks.task(run, name, task, data, {
      ...scope,
      pointer: pointer(scope.pointer, at, name),
      from: scope.from + span * at,
      span,
    });
    data = outcome.output;
    const directive = outcome.directive ?? 'continue';
    if (directive === 'end') return { output: data, directive };
    if (directive === 'exit') return { output: data, exited: true };
    at = directive === 'continue' ? at + 1 : names.indexOf(directive);
  }
  return { output: data };
}
