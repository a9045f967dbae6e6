import { pointer } from '../pointer.ts';
import { kindOf } from './dsl/kinds.ts';
import { entryOf, type Task, type TaskList } from './dsl.ts';

/** What these need of a definition that was checked. */
export interface Definition {
  do: TaskList;
}

/** Visits every task, outer before inner, in the order written; pointers start at the document: `/do/0/fetch`. */
export function walkTasks(
  definition: Definition,
  visit: (path: string, name: string, task: Task) => void,
): void {
  const walk = (list: TaskList, path: string): void => {
    for (const [at, item] of list.entries()) {
      const [name, task] = entryOf(item);
      const own = pointer(path, at, name);
      visit(own, name, task);
      for (const child of kindOf(task).children(task)) walk(child.tasks, pointer(own, ...child.path));
    }
  };
  walk(definition.do, '/do');
}

export function countTasks(definition: Definition): number {
  let count = 0;
  walkTasks(definition, () => {
    count += 1;
  });
  return count;
}

/** Whether any task runs code on a host: saving it then needs `neosyntis:workflows:execute_code`. */
export function usesCode(definition: Definition): boolean {
  let found = false;
  walkTasks(definition, (_path, _name, task) => {
    found ||= 'run' in task && !('workflow' in task.run);
  });
  return found;
}
