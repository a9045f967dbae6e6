import { CancellationScope } from '@temporalio/workflow';
import { entryOf, type ForkTask, type TaskList } from '../../../domain/neosyntis/dsl.ts';
import type { RunProblem } from '../../../domain/neosyntis/runs.ts';
import { pointer } from '../../../domain/pointer.ts';
import type { Json } from '../../../domain/wire.ts';
import { type LeftBranches, sideBySide } from '../engine/branches.ts';
import type { Frame } from '../engine/frames.ts';
import { failure, RunExhausted, TaskFailure } from '../engine/problem.ts';
import type { Outcome, RunContext, Scope, TaskExecutor } from '../engine/scope.ts';

interface ForkState {
  open: number[];
  next: number;
  /** Those that have ended, with what they said comes next; what they put out stands in the values, by number. */
  ended: [index: number, directive: string | null][];
  /** Of a race. */
  firstError?: { problem: RunProblem; mayRepeat: boolean };
}

/**
 * `fork`: its branches side by side; puts out their outputs as a list in the branches' order. When one fails,
 * the others are cancelled and the fork fails with that error. With `compete` the first branch that completes is
 * the only one that counts: the others are cancelled, and the fork fails only when all of them failed.
 */
export const runFork: TaskExecutor<ForkTask> = (run, task, input, scope, _variables, _step, frame) =>
  (task.fork.compete ? race : all)(run, task.fork.branches, input, scope, frame);

type Run = (
  run: RunContext,
  branches: TaskList,
  input: Json,
  scope: Scope,
  frame: Frame | undefined,
) => Promise<Outcome>;

const all: Run = async (run, branches, input, scope, frame) => {
  const state = frame?.state as ForkState | undefined; // this file's own
  const outcomes: Outcome[] = [];
  for (const [index, directive] of state?.ended ?? [])
    outcomes[index] = {
      output: frame?.values?.[index] ?? null,
      ...(directive === null ? {} : { directive }),
    };
  // Shares of the progress are given out as branches end: they run in no particular order.
  const show = showing(run);
  let ended = state?.ended.length ?? 0;
  const work = async (index: number, inside: Frame | undefined) => {
    outcomes[index] = await branch(run, branches, index, input, scope, inside);
    if (ended + 1 < branches.length) show();
    run.recorder.progressTo(scope.from + (scope.span * ++ended) / branches.length);
  };
  await sideBySide(run.standing, branches.length, work, {
    left: leftOf(frame),
    frame: ({ frames, ...left }) => ({
      state: {
        ...left,
        ended: outcomes.flatMap(({ directive }, index) => [[index, directive ?? null]]),
      } satisfies ForkState,
      values: Object.fromEntries(outcomes.flatMap(({ output }, index) => [[index, output]])),
      branches: frames,
    }),
  });
  const isEnd = outcomes.some(({ directive }) => directive === 'end');
  return { output: outcomes.map(({ output }) => output), ...(isEnd ? { directive: 'end' } : {}) };
};

const race: Run = async (run, branches, input, scope, frame) => {
  const known = (frame?.state as ForkState | undefined)?.firstError; // this file's own
  let firstError = known && new TaskFailure(known.problem, false, {}, known.mayRepeat);
  let winner: Outcome | undefined;
  const won = new Error('a branch has won');
  const show = showing(run);
  const work = async (index: number, inside: Frame | undefined) => {
    try {
      const outcome = await branch(run, branches, index, input, scope, inside);
      winner ??= outcome;
    } catch (error) {
      const isLoss = error instanceof TaskFailure && !(error instanceof RunExhausted);
      if (!isLoss || CancellationScope.current().consideredCancelled) throw error;
      firstError ??= error;
      show();
      return;
    }
    throw won;
  };
  try {
    await sideBySide(run.standing, branches.length, work, {
      left: leftOf(frame),
      frame: ({ frames, ...left }) => ({
        state: {
          ...left,
          ended: [],
          ...(firstError ? { firstError: errorOf(firstError) } : {}),
        } satisfies ForkState,
        branches: frames,
      }),
    });
  } catch (error) {
    if (error !== won) throw error;
  }
  if (winner) return afterBranch(winner);
  throw firstError ?? failure('configuration', 'A fork without branches has no winner.');
};

/** Branches that end at once are shown together; one that others outlast is seen to have ended while they go on. */
const TOGETHER_MS = 100;

function showing(run: RunContext): () => void {
  const startedAt = Date.now();
  return () => {
    if (Date.now() - startedAt >= TOGETHER_MS) run.recorder.flush();
  };
}

/** Of a branch only its output goes on, and `end`: it has no next task, and where it ran is its own step's matter. */
const afterBranch = ({ output, directive }: Outcome): Outcome =>
  directive === 'end' ? { output, directive } : { output };

const errorOf = ({ problem, mayRepeat }: TaskFailure) => ({ problem, mayRepeat });

function leftOf(frame: Frame | undefined): LeftBranches | undefined {
  if (!frame) return undefined;
  const { open, next } = frame.state as ForkState; // this file's own
  return { open, next, frames: frame.branches ?? {} };
}

function branch(
  run: RunContext,
  branches: TaskList,
  index: number,
  input: Json,
  scope: Scope,
  frame: Frame | undefined,
): Promise<Outcome> {
  const [name, task] = entryOf(branches[index] ?? {});
  const place = pointer(scope.pointer, 'fork', 'branches', index, name);
  return run.tasks.task(run, name, task, input, { ...scope, pointer: place, from: 0, span: 0 }, frame);
}
