import { CancellationScope } from '@temporalio/workflow';
import { entryOf, type ForkTask, type TaskList } from '../../../domain/neosyntis/dsl.ts';
import { pointer } from '../../../domain/pointer.ts';
import type { Json } from '../../../domain/wire.ts';
import { failure, RunExhausted } from '../engine/problem.ts';
import type { Outcome, RunContext, Scope, TaskExecutor } from '../engine/scope.ts';

/** Branches that run at the same time; the others wait for a place. */
const AT_ONCE = 50;

/**
 * `fork`: its branches side by side; puts out their outputs as a list in the branches' order. When one fails,
 * the others are cancelled and the fork fails with that error. With `compete` the first branch that completes is
 * the only one that counts: the others are cancelled, and the fork fails only when all of them failed.
 */
export const runFork: TaskExecutor<ForkTask> = (run, task, input, scope) =>
  task.fork.compete
    ? race(run, task.fork.branches, input, scope)
    : all(run, task.fork.branches, input, scope);

async function all(run: RunContext, branches: TaskList, input: Json, scope: Scope): Promise<Outcome> {
  const outcomes: Outcome[] = [];
  // Shares of the progress are given out as branches end: they run in no particular order.
  let ended = 0;
  const show = showing(run);
  await sideBySide(branches.length, async (index) => {
    outcomes[index] = await branch(run, branches, index, input, scope);
    if (ended + 1 < branches.length) show();
    run.recorder.progressTo(scope.from + (scope.span * ++ended) / branches.length);
  });
  const isEnd = outcomes.some(({ directive }) => directive === 'end');
  return { output: outcomes.map(({ output }) => output), ...(isEnd ? { directive: 'end' } : {}) };
}

async function race(run: RunContext, branches: TaskList, input: Json, scope: Scope): Promise<Outcome> {
  let winner: Outcome | undefined;
  let firstError: unknown;
  const won = new Error('a branch has won');
  const show = showing(run);
  await sideBySide(branches.length, async (index) => {
    try {
      const outcome = await branch(run, branches, index, input, scope);
      winner ??= outcome;
    } catch (error) {
      if (CancellationScope.current().consideredCancelled || error instanceof RunExhausted) throw error;
      firstError ??= error;
      show();
      return;
    }
    throw won;
  }).catch((error: unknown) => {
    if (error !== won) throw error;
  });
  if (winner) return afterBranch(winner);
  throw firstError ?? failure('configuration', 'A fork without branches has no winner.');
}

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

/** Runs `work` for each index, some at a time. The first error cancels all others, and comes out once they ended. */
async function sideBySide(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  const scope = new CancellationScope();
  await scope.run(async () => {
    const workers = Array.from({ length: Math.min(AT_ONCE, count) }, worker);
    try {
      await Promise.all(workers);
    } catch (error) {
      scope.cancel();
      await Promise.allSettled(workers);
      throw error;
    }
  });
}

function branch(
  run: RunContext,
  branches: TaskList,
  index: number,
  input: Json,
  scope: Scope,
): Promise<Outcome> {
  const [name, task] = entryOf(branches[index] ?? {});
  const place = pointer(scope.pointer, 'fork', 'branches', index, name);
  return run.tasks.task(run, name, task, input, { ...scope, pointer: place, from: 0, span: 0 });
}
