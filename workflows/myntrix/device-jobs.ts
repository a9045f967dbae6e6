import {
  ActivityCancellationType,
  ActivityFailure,
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  isCancellation,
  proxyActivities,
  setHandler,
  TimeoutFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { DeviceJobHostActivities } from '../../activities/host/myntrix/device-jobs.ts';
import type { DeviceJobActivities } from '../../activities/platform/myntrix/device-jobs.ts';
import { devicesQueue, wakeSignal } from '../../domain/names.ts';

/** Cheap and idempotent, tried until the database is back. */
const {
  takeDeviceJob,
  wantedOfDeviceJob,
  settleDeviceJob,
  loseDeviceJob,
  foundDeviceJob,
  giveUpDeviceJob,
  abortedDeviceJob,
} = proxyActivities<DeviceJobActivities>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '5 seconds' },
});

type Task = NonNullable<Awaited<ReturnType<DeviceJobActivities['takeDeviceJob']>>>;

/**
 * The jobs of one device, one after the other as the rows say, until there are none. The signal only says that there
 * is something new. A job that is not over when its host is lost is never begun again by itself: what became of it is
 * asked, and then a person decides.
 */
export async function deviceJobs({ deviceId }: { deviceId: string }): Promise<void> {
  let told = 0;
  setHandler(defineSignal(wakeSignal), () => {
    told += 1;
  });

  for (;;) {
    const heard = told;
    const task = await takeDeviceJob(deviceId);
    if (task === null) {
      if (told === heard) return;
      continue;
    }
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof deviceJobs>({ deviceId });
    if (task.next === 'follow') await follow(task, heard);
    else if (task.next === 'look') await look(task, heard);
    else if (task.next === 'abort') await abort(task);
    else await condition(() => told > heard);
  }

  /** Has the host do it, and tells the host what people want meanwhile. */
  async function follow({ host, order, epoch }: Task, heardBefore: number): Promise<void> {
    const { id, attempt } = order;
    const { followDeviceJob, steerDeviceJob } = onHost(host);
    let isOver = false;
    const over = followDeviceJob(order)
      .then(
        (end) => settleDeviceJob(id, attempt, end),
        (error: unknown) => loseDeviceJob(id, attempt, reasonOf(error, host)),
      )
      .finally(() => {
        isOver = true;
      });
    let known = epoch;
    for (let heard = heardBefore; ; ) {
      await condition(() => isOver || told > heard);
      if (isOver) break;
      heard = told;
      const now = await wantedOfDeviceJob(id);
      if (!now || now.epoch <= known) continue;
      known = now.epoch;
      // A host that does not hear it is lost, and is told when it is found.
      await steerDeviceJob({ id, attempt, wanted: now.wanted }).catch(() => undefined);
    }
    await over;
  }

  /** Asks what became of it, however long the host is away, or until there is something new. */
  async function look({ host, hostIsKnown, order }: Task, heard: number): Promise<void> {
    const { id, attempt } = order;
    if (!hostIsKnown)
      return giveUpDeviceJob(id, attempt, `its host "${host}" was deleted: nothing more is known of it`);
    const scope = new CancellationScope();
    const looking = scope
      .run(() => onHost(host).lookAtDeviceJob(order))
      .catch((error: unknown) => {
        if (isCancellation(error)) return undefined;
        const reason = `its host "${host}" cannot say what became of it: ${reasonOf(error, host)}`;
        return giveUpDeviceJob(id, attempt, reason);
      });
    const found = await Promise.race([looking, condition(() => told > heard)]);
    if (found !== undefined) return foundDeviceJob(id, attempt, found);
    scope.cancel();
    await looking;
  }

  /** Makes a device safe whose program goes on no more, if it is there. */
  async function abort({ host, hostIsKnown, order }: Task): Promise<void> {
    const safe = hostIsKnown
      ? await onHost(host)
          .abortDeviceJob(order)
          .catch((error: unknown) => ({ sent: false, reason: reasonOf(error, host) }))
      : { sent: false, reason: `its host "${host}" was deleted` };
    await abortedDeviceJob(order.id, order.attempt, safe);
  }
}

function onHost(host: string) {
  const taskQueue = devicesQueue(host);
  // It goes on by itself while nobody follows it, and is never begun again by following it once more.
  const { followDeviceJob } = proxyActivities<DeviceJobHostActivities>({
    taskQueue,
    startToCloseTimeout: '3650 days',
    scheduleToStartTimeout: '15 seconds',
    heartbeatTimeout: '20 seconds', // the host sends one every 8 s at most
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { maximumAttempts: 1 },
  });
  const { lookAtDeviceJob } = proxyActivities<DeviceJobHostActivities>({
    taskQueue,
    startToCloseTimeout: '1 minute', // it may read a large program
    cancellationType: ActivityCancellationType.ABANDON,
    retry: {
      initialInterval: '200 milliseconds',
      maximumInterval: '5 seconds',
      nonRetryableErrorTypes: ['StaleOrder'],
    },
  });
  const { steerDeviceJob } = proxyActivities<DeviceJobHostActivities>({
    taskQueue,
    scheduleToCloseTimeout: '10 seconds',
    retry: { initialInterval: '200 milliseconds' },
  });
  // The device may have to move, or to cool down, before it answers. Commands are not sent twice.
  const { abortDeviceJob } = proxyActivities<DeviceJobHostActivities>({
    taskQueue,
    scheduleToStartTimeout: '15 seconds',
    startToCloseTimeout: '1 hour',
    heartbeatTimeout: '20 seconds',
    retry: { maximumAttempts: 1 },
  });
  return { followDeviceJob, lookAtDeviceJob, steerDeviceJob, abortDeviceJob };
}

function reasonOf(error: unknown, host: string): string {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof TimeoutFailure) return `its host "${host}" does not answer`;
  return cause instanceof Error ? cause.message : String(cause);
}
