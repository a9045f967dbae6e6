import { Worker, type WorkerOptions } from '@temporalio/worker';
import type { TaskActivities } from '../activities/platform/myntrix/tasks.ts';
import type { NotificationActivities } from '../activities/platform/neosyntis/notifications.ts';
import type { SourceActivities } from '../activities/platform/neosyntis/sources.ts';
import type { VerbActivities } from '../activities/platform/neosyntis/verbs.ts';
import { OUTBOUND_QUEUE } from '../domain/names.ts';

/** Each may hold an answer of 8 MiB, and what is made of it. */
const AT_ONCE = 40;

/** Runs what waits for other servers, apart from the platform's own work: a slow server keeps nobody else waiting. */
export async function startOutboundWorker(
  options: Pick<WorkerOptions, 'connection' | 'namespace' | 'dataConverter'>,
  activities: VerbActivities &
    SourceActivities &
    Pick<NotificationActivities, 'notifyByWebhook'> &
    Pick<TaskActivities, 'notifyTaskByWebhook'>,
): Promise<{ ended: Promise<void>; close(): Promise<void> }> {
  const worker = await Worker.create({
    ...options,
    taskQueue: OUTBOUND_QUEUE,
    activities,
    maxConcurrentActivityTaskExecutions: AT_ONCE,
    // A person who cancels waits for the next heartbeat's answer.
    maxHeartbeatThrottleInterval: '150ms',
    defaultHeartbeatThrottleInterval: '150ms',
    shutdownGraceTime: '2s',
    shutdownForceTime: '4s',
  });
  const working = worker.run();
  return {
    ended: working,
    async close() {
      worker.shutdown();
      await working;
    },
  };
}
