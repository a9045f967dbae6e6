import { proxyActivities } from '@temporalio/workflow';
import type { RetentionActivities } from '../../activities/platform/system/retention.ts';
import type { Pruned } from '../../domain/system/retention.ts';

/** A pass gives up after 45 s by itself; a piece that is longer silent than this is stuck. */
const { prune } = proxyActivities<RetentionActivities>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '1 minute',
  retry: { maximumAttempts: 2, initialInterval: '1 second' },
});

/** One pass of retention; a schedule starts it. */
export const retention = (): Promise<Pruned> => prune();
