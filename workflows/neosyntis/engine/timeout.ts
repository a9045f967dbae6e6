import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { Document, Task } from '../../../domain/neosyntis/dsl.ts';
import { durationMs } from '../../../domain/neosyntis/duration.ts';
import { failure } from './problem.ts';

/** The time limit of a task or of the whole run, if it has one. */
export function timeoutMs({ timeout }: Pick<Task | Document, 'timeout'>): number | undefined {
  const ms = timeout === undefined ? undefined : durationMs(timeout.after);
  return typeof ms === 'number' ? ms : undefined;
}

/**
 * Does the work within a time; what is not done then is cancelled, and the error says so.
 * @param startedAt when it was begun, in ms since 1970, when that was before
 */
export async function within<T>(
  ms: number | undefined,
  work: () => Promise<T>,
  startedAt: number = Date.now(),
): Promise<T> {
  if (ms === undefined) return work();
  const leftMs = startedAt + ms - Date.now();
  // What was begun in another execution may be late already.
  const limit = new CancellationScope({ cancellable: true, timeout: Math.max(1, leftMs) });
  try {
    return await limit.run(work);
  } catch (error) {
    const cancelledFromOutside = CancellationScope.current().consideredCancelled;
    if (isCancellation(error) && !cancelledFromOutside)
      throw failure('timeout', `It took longer than ${ms} ms.`);
    throw error;
  }
}
