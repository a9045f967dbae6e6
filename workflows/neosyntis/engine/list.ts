import { entryOf, type TaskList } from '../../../domain/neosyntis/dsl.ts';
import { pointer } from '../../../domain/pointer.ts';
import type { Json } from '../../../domain/wire.ts';
import { type Frame, framed, valueIn } from './frames.ts';
import type { Outcome, RunContext, Scope } from './scope.ts';
import { createVisits, type Visit } from './visits.ts';

interface ListState {
  at: number;
  visits: [number, Visit][];
}

/** A `do` list: each task gets what the one before put out, and says where to go on. */
export async function runList(
  run: RunContext,
  tasks: TaskList,
  input: Json,
  scope: Scope,
  frame?: Frame,
): Promise<Outcome> {
  const state = frame?.state as ListState | undefined; // this function's own
  const names = tasks.map((item) => entryOf(item)[0]);
  const span = scope.span / Math.max(1, tasks.length);
  const visits = createVisits(scope.iteration, scope.around, state?.visits);
  let data = frame ? (valueIn(frame, 'data') ?? null) : input;
  let at = state?.at ?? 0;
  let isBegun = frame !== undefined;
  let inside = frame?.inside;
  while (at < tasks.length) {
    const [name, task] = entryOf(tasks[at] ?? {});
    if (!isBegun) visits.begin(at);
    const place = {
      ...scope,
      ...visits.place(at),
      pointer: pointer(scope.pointer, at, name),
      from: scope.from + span * at,
      span,
    };
    const outcome = await framed(
      () => run.tasks.task(run, name, task, data, place, inside),
      (inside) => ({
        state: { at, visits: visits.known() } satisfies ListState,
        values: { data },
        inside,
      }),
    );
    isBegun = false;
    inside = undefined;
    data = outcome.output;
    const directive = outcome.directive ?? 'continue';
    if (directive === 'end') return { output: data, directive };
    if (directive === 'exit') return { output: data, exited: true };
    at = directive === 'continue' ? at + 1 : names.indexOf(directive);
  }
  return { output: data };
}
