import type { Task } from '../../domain/neosyntis/dsl.ts';
import { approvalWait } from '../../domain/neosyntis/verbs/approval-wait.ts';
import type { TaskExecutor } from './engine/scope.ts';
import { runCall } from './tasks/call.ts';
import { runDo } from './tasks/do.ts';
import { runEmit } from './tasks/emit.ts';
import { runFor } from './tasks/for.ts';
import { runFork } from './tasks/fork.ts';
import { runListen } from './tasks/listen.ts';
import { runRaise } from './tasks/raise.ts';
import { runRun } from './tasks/run.ts';
import { runSet } from './tasks/set.ts';
import { runSwitch } from './tasks/switch.ts';
import { runTry } from './tasks/try.ts';
import { runWait } from './tasks/wait.ts';

/** One executor a task kind. `for` stands before `do`, which a `for` task has too. */
const kinds = {
  call: runCall,
  for: runFor,
  do: runDo,
  emit: runEmit,
  fork: runFork,
  listen: runListen,
  raise: runRaise,
  run: runRun,
  set: runSet,
  switch: runSwitch,
  try: runTry,
  wait: runWait,
} as const;

export type Keyword = keyof typeof kinds;

const keywords = Object.keys(kinds) as Keyword[]; // the keys of `kinds`

/** Each is called only with the tasks that have its keyword. */
export const executors = kinds as unknown as Record<Keyword, TaskExecutor>;

const leavable: ReadonlySet<Keyword> = new Set(['for', 'do', 'fork', 'listen', 'try', 'wait']);

/** Whether the task has safe points inside, where a run may go on in another execution. */
export const isLeavable = (task: Task): boolean =>
  leavable.has(keywordOf(task)) ||
  ('call' in task && (task.function !== undefined || task.call === approvalWait.name));

export function keywordOf(task: Task): Keyword {
  const keyword = keywords.find((name) => name in task);
  if (!keyword) throw new TypeError(`no kind of task has the keys ${Object.keys(task).join(', ')}`);
  return keyword;
}
