import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { BulkActivities } from '../../activities/platform/neosyntis/bulk.ts';

/** Cheap and idempotent, tried until the database is back; a worker that dies in the middle is missed soon. */
const { cancelMany } = proxyActivities<BulkActivities>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '15 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 second', maximumInterval: '10 seconds' },
});

/** Cancels many runs, as the job of this id says. */
export const cancelRuns = (jobId: string): Promise<void> => cancelMany(jobId);
