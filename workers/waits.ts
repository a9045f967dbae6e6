import type { VerbActivities } from '../activities/platform/neosyntis/verbs.ts';
import { WAITS_QUEUE } from '../domain/names.ts';
import { type ActivityWorker, type ActivityWorkerPlace, startActivityWorker } from './activity-worker.ts';

/** They do next to nothing, for hours: on another queue they would take the room of what works. */
const AT_ONCE = 2_000;

/** Runs the steps that wait for what is to be read here. */
export const startWaitsWorker = (
  place: ActivityWorkerPlace,
  activities: VerbActivities,
): Promise<ActivityWorker> =>
  startActivityWorker({
    ...place,
    taskQueue: WAITS_QUEUE,
    activities,
    maxConcurrentActivityTaskExecutions: AT_ONCE,
    heartbeats: '2s',
    shutdownGraceTime: '100ms',
  });
