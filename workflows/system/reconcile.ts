import { proxyActivities } from '@temporalio/workflow';
import type { ReconcileActivities } from '../../activities/platform/system/reconcile.ts';
import type { ScheduleActivities } from '../../activities/platform/system/schedules.ts';

/** The next tick repeats what failed, so a failing pass is tried only a little. */
const {
  reconcileRuns,
  reconcileLogs,
  reconcileAccounts,
  reconcileSchedules,
  expireHosts,
  sendNotifications,
} = proxyActivities<ReconcileActivities & Pick<ScheduleActivities, 'reconcileSchedules'>>({
  startToCloseTimeout: '30 seconds',
  // A worker that dies in a pass shall not hold up the next one.
  heartbeatTimeout: '5 seconds',
  retry: { maximumAttempts: 2, initialInterval: 500 },
});

/** One pass over what PostgreSQL believes and what Temporal and the hosts know; a schedule starts it. */
export async function reconcile(): Promise<void> {
  const passes = await Promise.allSettled([
    reconcileRuns(),
    reconcileLogs(),
    reconcileAccounts(),
    reconcileSchedules(),
    expireHosts(),
    sendNotifications(),
  ]);
  for (const pass of passes) if (pass.status === 'rejected') throw pass.reason;
}
