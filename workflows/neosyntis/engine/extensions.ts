import type { Task } from '../../../domain/neosyntis/dsl.ts';
import { extendsKind, type PlacedExtension } from '../../../domain/neosyntis/extensions.ts';
import type { Json } from '../../../domain/wire.ts';
import { keywordOf } from '../tasks.ts';
import type { Variables } from './evaluator.ts';
import { type Frame, framed, valueIn } from './frames.ts';
import type { Outcome, RunContext, StepScope } from './scope.ts';

/** Where a task stands among the extensions that apply to it. */
interface ExtendedState {
  /** Their pointers, in the order written, and the iteration of the steps inside. */
  chosen: { path: string; iteration: number[] }[];
  phase: 'before' | 'task' | 'after';
  /** Which of them is at work. */
  at: number;
  /** What the task gave, but for its output. */
  outcome?: Omit<Outcome, 'output'>;
}

/**
 * A task with the extensions that apply to it: their `before` lists, the task, their `after` lists, each in the order
 * written. They look on, and what they put out is let go; unless a `before` exits, which then stands for the task.
 */
export async function runExtended(
  run: RunContext,
  task: Task,
  about: { [key: string]: Json },
  { input, scope, variables }: { input: Json; scope: StepScope; variables: Variables },
  execute: (inside: Frame | undefined) => Promise<Outcome>,
  frame: Frame | undefined,
): Promise<Outcome> {
  if (scope.extended !== undefined || run.extensions.length === 0) return execute(frame);
  // The specification's examples ask for the definition's own fields, too: `$task.with`.
  const told = { ...(task as { [key: string]: Json }), ...about, input }; // a definition is JSON
  const known = frame?.state as ExtendedState | undefined; // this file's own
  const state: ExtendedState = known
    ? { ...known }
    : {
        phase: 'before',
        at: 0,
        chosen: await applying(run, task, input, scope, { ...variables, task: told }),
      };
  let left = frame?.inside;
  let output = valueIn(frame, 'output') ?? null;

  /** The next part of the work, which takes up what was left in it. */
  const part = async <T>(work: (inside: Frame | undefined) => Promise<T>): Promise<T> => {
    const inside = left;
    left = undefined;
    return framed(
      () => work(inside),
      (inner) => ({ state: { ...state }, values: { output }, inside: inner }),
    );
  };
  const list = (key: 'before' | 'after', data: Json, extended: Json) => {
    const { path = '', iteration = [] } = state.chosen[state.at] ?? {};
    const tasks = run.extensions.find((one) => one.path === path)?.extension[key] ?? [];
    const place = { ...scope, pointer: `${path}/${key}`, iteration, extended, span: 0 };
    return part((inside) => run.tasks.list(run, tasks, data, place, inside));
  };

  for (; state.phase === 'before' && state.at < state.chosen.length; state.at++) {
    const { output, exited, directive } = await list('before', input, told);
    if (directive !== undefined) return { output, directive };
    if (exited) return { output };
  }
  if (state.phase === 'before') Object.assign(state, { phase: 'task', at: 0 });
  if (state.phase === 'task') {
    const { output: given, ...rest } = await part(execute);
    output = given;
    Object.assign(state, { phase: 'after', outcome: rest });
  }
  for (; state.at < state.chosen.length; state.at++) {
    const { directive } = await list('after', output, { ...told, output });
    if (directive !== undefined) return { ...state.outcome, output, directive };
  }
  return { ...state.outcome, output };
}

async function applying(
  run: RunContext,
  task: Task,
  input: Json,
  { iteration }: StepScope,
  variables: Variables,
): Promise<ExtendedState['chosen']> {
  const chosen: PlacedExtension[] = [];
  for (const one of run.extensions) {
    const { when } = one.extension;
    if (!extendsKind(one.extension, keywordOf(task))) continue;
    if (when === undefined || (await run.evaluator.condition(when, input, variables))) chosen.push(one);
  }
  return chosen.map(({ path }) => ({ path, iteration: [...iteration, times(run, path)] }));
}

/** How often it was applied before: with it the steps inside are told apart. */
function times({ applied }: RunContext, path: string): number {
  const before = applied.get(path) ?? 0;
  applied.set(path, before + 1);
  return before;
}
