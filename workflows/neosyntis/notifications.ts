import { proxyActivities } from '@temporalio/workflow';
import type { NotificationActivities } from '../../activities/platform/neosyntis/notifications.ts';
import { OUTBOUND_QUEUE } from '../../domain/names.ts';
import type { DueNotification } from '../../domain/neosyntis/notifications.ts';

/** As `notify.webhook` of a step: a receiver that is away for minutes is told, one that is away for longer is not. */
const { notifyByWebhook } = proxyActivities<NotificationActivities>({
  taskQueue: OUTBOUND_QUEUE,
  startToCloseTimeout: '40 seconds',
  heartbeatTimeout: '5 seconds',
  retry: { maximumAttempts: 8, initialInterval: '1 second', maximumInterval: '1 minute' },
});

/** Tells one webhook of one run. */
export const notifyOfRun = (due: DueNotification): Promise<void> => notifyByWebhook(due);
