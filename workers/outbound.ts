import type { TaskActivities } from '../activities/platform/myntrix/tasks.ts';
import type { NotificationActivities } from '../activities/platform/neosyntis/notifications.ts';
import type { SourceActivities } from '../activities/platform/neosyntis/sources.ts';
import type { VerbActivities } from '../activities/platform/neosyntis/verbs.ts';
import { OUTBOUND_QUEUE } from '../domain/names.ts';
import { type ActivityWorker, type ActivityWorkerPlace, startActivityWorker } from './activity-worker.ts';

/** Each may hold an answer of 8 MiB, and what is made of it. */
const AT_ONCE = 40;

/** Runs what waits for other servers, apart from the platform's own work: a slow server keeps nobody else waiting. */
export const startOutboundWorker = (
  place: ActivityWorkerPlace,
  activities: VerbActivities &
    SourceActivities &
    Pick<NotificationActivities, 'notifyByWebhook'> &
    Pick<TaskActivities, 'notifyTaskByWebhook'>,
): Promise<ActivityWorker> =>
  startActivityWorker({
    ...place,
    taskQueue: OUTBOUND_QUEUE,
    activities,
    maxConcurrentActivityTaskExecutions: AT_ONCE,
    heartbeats: '150ms',
    shutdownGraceTime: '2s',
  });
