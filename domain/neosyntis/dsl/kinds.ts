import type { Task } from '../dsl.ts';
import { callKind } from './call.ts';
import { doKind } from './do.ts';
import { emitKind } from './emit.ts';
import { forKind } from './for.ts';
import { forkKind } from './fork.ts';
import type { TaskKind } from './kind.ts';
import { listenKind } from './listen.ts';
import { raiseKind } from './raise.ts';
import { runKind } from './run.ts';
import { setKind } from './set.ts';
import { switchKind } from './switch.ts';
import { tryKind } from './try.ts';
import { waitKind } from './wait.ts';

const list: TaskKind[] = [
  callKind,
  doKind,
  emitKind,
  forKind,
  forkKind,
  listenKind,
  raiseKind,
  runKind,
  setKind,
  switchKind,
  tryKind,
  waitKind,
];

/** The supported kinds of task by their keyword. */
export const kinds: ReadonlyMap<string, TaskKind> = new Map(list.map((kind) => [kind.keyword, kind]));

/** Kinds of task that the specification has and we do not have yet. */
export const refusedKinds: readonly string[] = [];

/** The keywords that say what a task is; `do` belongs to `for` where both are. */
export function keywordsOf(task: object): string[] {
  const found = [...kinds.keys(), ...refusedKinds].filter((name) => Object.hasOwn(task, name));
  return found.includes('for') ? found.filter((name) => name !== 'do') : found;
}

/** The kind of a task that was checked. */
export function kindOf(task: Task): TaskKind {
  const kind = kinds.get(keywordsOf(task)[0] ?? '');
  if (!kind) throw new TypeError('a task without a known keyword: the definition was not checked');
  return kind;
}
