import { pointer } from '../pointer.ts';
import { kindOf } from './dsl/kinds.ts';
import { type CallTask, entryOf, type Task, type TaskItem, type TaskList } from './dsl.ts';
import { extensionsOf, listsOf } from './extensions.ts';
import { mcp, stdioOf } from './verbs/mcp.ts';

/** What these need of a definition that was checked. */
export interface Definition {
  do: TaskList;
  use?: unknown;
}

/** Visits every task, outer before inner, in the order written, then those of extensions; pointers: `/do/0/fetch`. */
export function walkTasks(
  definition: Definition,
  visit: (path: string, name: string, task: Task) => void,
): void {
  const enter = (item: TaskItem, above: string): void => {
    const [name, task] = entryOf(item);
    const own = pointer(above, name);
    visit(own, name, task);
    const kind = kindOf(task);
    const called = kind.called?.(task);
    if (called) enter(called.item, pointer(own, ...called.path));
    for (const child of kind.children(task)) walk(child.tasks, pointer(own, ...child.path));
  };
  const walk = (list: TaskList, path: string): void => {
    for (const [at, item] of list.entries()) enter(item, pointer(path, at));
  };
  walk(definition.do, '/do');
  for (const extension of extensionsOf(definition.use))
    for (const { path, tasks } of listsOf(extension)) walk(tasks as TaskList, path); // checked
}

export function countTasks(definition: Definition): number {
  let count = 0;
  walkTasks(definition, () => {
    count += 1;
  });
  return count;
}

/** Whether a call starts a process on a host. */
export const isStdio = ({ call, with: given }: CallTask): boolean =>
  call === mcp.name && stdioOf(given) !== undefined;

/** Whether any task runs code on a host: saving it then needs `neosyntis:workflows:execute_code`. */
export function usesCode(definition: Definition): boolean {
  let found = false;
  walkTasks(definition, (_path, _name, task) => {
    found ||= 'call' in task ? isStdio(task) : 'run' in task && !('workflow' in task.run);
  });
  return found;
}
