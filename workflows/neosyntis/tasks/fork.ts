import { CancellationScope } from '@temporalio/workflow';
import { entryOf, type ForkTask } from '../../../domain/neosyntis/dsl.ts';
import { pointer } from '../../../domain/pointer.ts';
import type { Outcome, TaskExecutor } from '../engine/scope.ts';

/** Branches that run at the same time; the others wait for a place. */
const AT_ONCE = 50;

/**
 * `fork`: its branches side by side; puts out their outputs as a list in the branches' order. When one fails,
 * the others are cancelled and the fork fails with that error.
 */
export const runFork: TaskExecutor<ForkTask> = async (run, task, input, scope) => {
  const { branches } = task.fork;
  const outcomes: Outcome[] = [];
  let next = 0;
  // Shares of the progress are given out as branches end: they run in no particular order.
  let ended = 0;
  const worker = async () => {
    while (next < branches.length) {
      const index = next++;
      const [name, branch] = entryOf(branches[index] ?? {});
      outcomes[index] = await run.tasks.task(run, name, branch, input, {
        ...scope,
        pointer: pointer(scope.pointer, 'fork', 'branches', index, name),
        from: 0,
        span: 0,
      });
      run.recorder.progressTo(scope.from + (scope.span * ++ended) / branches.length);
    }
  };
  const all = new CancellationScope();
  await all.run(async () => {
    const workers = Array.from({ length: Math.min(AT_ONCE, branches.length) }, worker);
    try {
      await Promise.all(workers);
    } catch (error) {
      all.cancel();
      await Promise.allSettled(workers);
      throw error;
    }
  });
  const isEnd = outcomes.some(({ directive }) => directive === 'end');
  return { output: outcomes.map(({ output }) => output), ...(isEnd ? { directive: 'end' } : {}) };
};
