import type { Task } from '../../../domain/neosyntis/dsl.ts';
import { durationMs } from '../../../domain/neosyntis/duration.ts';

/** A task's time limit, if it has one. */
export function timeoutMs(task: Task): number | undefined {
  const after = task.timeout?.after;
  const ms = after === undefined ? undefined : durationMs(after);
  return typeof ms === 'number' ? ms : undefined;
}
