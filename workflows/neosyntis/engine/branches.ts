import { CancellationScope } from '@temporalio/workflow';
import { type Frame, Unwound } from './frames.ts';
import type { Standing } from './standing.ts';

/** Branches that run at the same time; the others wait for a place. */
const AT_ONCE = 50;

/** Where branches stand that were left. */
export interface LeftBranches {
  /** Those that had a place, whether they had begun or not. */
  open: number[];
  /** Those from this one on had none yet. */
  next: number;
  /** Of those that had begun, by their number. */
  frames: { [index: string]: Frame };
}

/**
 * Runs branches, some at a time. The first error cancels all others, and comes out once they ended. When the run is to
 * go on elsewhere, each goes on to its next safe point; and when one fails before the last is there, those that were
 * left are taken up once more, to be cancelled like the others.
 * @throws Unwound with what `frame` makes of where they stand
 */
export async function sideBySide(
  standing: Standing,
  count: number,
  work: (index: number, frame: Frame | undefined) => Promise<void>,
  { frame, left }: { frame(left: LeftBranches): Frame; left: LeftBranches | undefined },
): Promise<void> {
  const waiting = [...(left?.open ?? [])];
  const open: number[] = [];
  const frames: { [index: string]: Frame } = { ...left?.frames };
  let next = left?.next ?? 0;
  let isLeaving = false;

  async function one(index: number): Promise<void> {
    const from = frames[index];
    delete frames[index];
    try {
      await work(index, from);
    } catch (error) {
      if (!(error instanceof Unwound)) throw error;
      isLeaving = true;
      open.push(index);
      if (error.frame) frames[index] = error.frame;
    }
  }

  // The last one that ends leaves its place to who goes on behind the fork.
  let going = Math.min(AT_ONCE, count);
  for (let more = 1; more < going; more++) standing.enter();

  async function worker(): Promise<void> {
    try {
      while (!isLeaving) {
        const index = waiting.shift() ?? (next < count ? next++ : undefined);
        if (index === undefined) return;
        await one(index);
      }
    } finally {
      if (--going > 0) standing.leave();
    }
  }

  const scope = new CancellationScope();
  await scope.run(async () => {
    const workers = Array.from({ length: Math.min(AT_ONCE, count) }, worker);
    try {
      await Promise.all(workers);
    } catch (error) {
      scope.cancel();
      await Promise.allSettled(workers);
      for (const index of [...open, ...waiting]) await work(index, frames[index]).catch(() => undefined);
      throw error;
    }
  });
  if (isLeaving)
    throw new Unwound(frame({ open: [...open, ...waiting].sort((a, b) => a - b), next, frames }));
}
