import { kindOf } from './dsl/kinds.ts';
import { entryOf, type TaskList } from './dsl.ts';
import { countTasks, type Definition } from './walk.ts';

/** Temporal's own: a turn that was given to a worker which died is given to another after this time. */
const USUAL_MS = 10_000;

/** Loops of 10,000 rounds are done again within it, where the machine is not busy. */
const LONG_MS = 60_000;

/** So many tasks compute for a few seconds on a busy machine. */
const MANY_TASKS = 100;

/**
 * How long one turn of a run (Temporal: a workflow task) may take. A worker that does not know an open run yet, since
 * it was just started or had forgotten the run, does in its first turn all again that the run has computed so far.
 * When that takes longer, the turn is void and begins again: the run would never go on. So a definition that may
 * compute many tasks has more time; the price is that such a run stands still for so long when a worker dies in the
 * middle of one of its turns.
 */
export function turnLimitMs(definition: Definition): number {
  return repeats(definition.do) || countTasks(definition) > MANY_TASKS ? LONG_MS : USUAL_MS;
}

/** Whether tasks of this list, or in it, may run more than once. */
function repeats(list: TaskList): boolean {
  const entries = list.map(entryOf);
  const names = entries.map(([name]) => name);
  return entries.some(([, task], at) => {
    if ('for' in task || 'listen' in task || ('try' in task && task.catch.retry !== undefined)) return true;
    const kind = kindOf(task);
    const targets = [task.then, ...(kind.targets?.(task) ?? []).map(({ name }) => name)];
    const leadsBack = targets.some((name) => name !== undefined && names.slice(0, at + 1).includes(name));
    const called = kind.called?.(task);
    return (
      leadsBack ||
      (called !== undefined && repeats([called.item])) ||
      kind.children(task).some(({ tasks }) => repeats(tasks))
    );
  });
}
