import { Context } from '@temporalio/activity';

/**
 * How long this attempt of the activity was in its task queue until now. Temporal says when it was put there, the clock
 * here when it was taken: nothing when they disagree by more than that.
 */
export function queuedMs(): { queueMs?: number } {
  const ms = Date.now() - Context.current().info.currentAttemptScheduledTimestampMs;
  return ms >= 0 ? { queueMs: ms } : {};
}
