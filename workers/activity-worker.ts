import { Worker, type WorkerOptions } from '@temporalio/worker';

/** Where a worker of activities is, as every one of them needs it. */
export type ActivityWorkerPlace = Pick<WorkerOptions, 'connection' | 'namespace' | 'dataConverter'>;

export interface ActivityWorker {
  ended: Promise<void>;
  close(): Promise<void>;
}

/** Runs activities of a queue of their own, with workflows elsewhere. */
export async function startActivityWorker({
  heartbeats,
  ...options
}: ActivityWorkerPlace &
  Required<Pick<WorkerOptions, 'taskQueue' | 'activities' | 'shutdownGraceTime'>> &
  Required<Pick<WorkerOptions, 'maxConcurrentActivityTaskExecutions'>> & {
    /** How often they are sent at most: who cancels waits for the next one's answer. */
    heartbeats: NonNullable<WorkerOptions['maxHeartbeatThrottleInterval']>;
  }): Promise<ActivityWorker> {
  const worker = await Worker.create({
    ...options,
    maxHeartbeatThrottleInterval: heartbeats,
    defaultHeartbeatThrottleInterval: heartbeats,
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
