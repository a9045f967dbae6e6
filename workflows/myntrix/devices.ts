import {
  ActivityCancellationType,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineUpdate,
  isCancellation,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { DeviceHostActivities } from '../../activities/host/myntrix/devices.ts';
import type { DeviceActivities } from '../../activities/platform/myntrix/devices.ts';
import { devicesQueue, deviceUpdates } from '../../domain/names.ts';
import { isStale } from './holding.ts';

/** Cheap and idempotent, tried until the database is back. */
const { takeDevice, settleDevice, forgetDevice } = proxyActivities<DeviceActivities>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '5 seconds' },
});

type Wanted = NonNullable<Awaited<ReturnType<DeviceActivities['takeDevice']>>>;

export interface DeviceSessionInput {
  deviceId: string;
  /** The newest order that was taken; the one after a continue-as-new is taken again, which changes nothing. */
  taken: number;
}

/**
 * One device, from its first order until it is deleted. What is wanted is in its row, numbered; the updates only say
 * that there is something new. Its host holds the connection, and does what is sent to it without this workflow.
 */
export async function deviceSession({ deviceId, taken }: DeviceSessionInput): Promise<void> {
  let told = taken;
  let known = taken === 0 ? 0 : -1;
  let shed = () => {};
  for (const update of Object.values(deviceUpdates))
    setHandler(defineUpdate<void, [number]>(update), (epoch) => {
      told = Math.max(told, epoch);
    });
  if (taken === 0) await condition(() => told > 0);

  for (;;) {
    const wanted = await takeDevice(deviceId);
    if (wanted === null) return;
    known = wanted.order.epoch;
    told = Math.max(told, known);
    shed();
    shed = () => {};
    if (wanted.desired === 'connected') hold(wanted);
    else if (await letGo(wanted)) {
      if (wanted.removed) return forgetDevice(deviceId);
    }
    await condition(() => told > known || (workflowInfo().continueAsNewSuggested && allHandlersFinished()));
    if (told > known) continue;
    await condition(allHandlersFinished);
    shed(); // the connection stays; the next execution looks at it
    await continueAsNew<typeof deviceSession>({ deviceId, taken: known });
  }

  /** Has the host hold it, for as long as it does. The host that lost its process is asked again by Temporal. */
  function hold({ order, host }: Wanted): void {
    const scope = new CancellationScope();
    shed = () => scope.cancel();
    scope
      .run(async () => {
        const end = await onHost(host).holdDevice(order);
        await CancellationScope.nonCancellable(() => settleDevice(deviceId, order.epoch, end));
      })
      .catch((error: unknown) => {
        if (isCancellation(error) || isStale(error)) return undefined; // a newer order is on its way
        const reason = error instanceof Error ? error.message : String(error);
        return settleDevice(deviceId, order.epoch, { kind: 'error', reason });
      });
  }

  /** Closes the connection, however long its host is away, unless something newer is wanted. @returns whether it did. */
  async function letGo({ order, host, hostIsKnown }: Wanted): Promise<boolean> {
    const scope = new CancellationScope();
    const isOver = hostIsKnown
      ? scope
          .run(() => onHost(host).releaseDevice({ id: deviceId, epoch: order.epoch }))
          .then(
            () => true,
            (error: unknown) => {
              if (isCancellation(error) || isStale(error)) return false;
              throw error;
            },
          )
      : Promise.resolve(true); // a host that was deleted is not let in any more
    const isDone = await Promise.race([isOver, condition(() => told > order.epoch).then(() => undefined)]);
    if (isDone === undefined) {
      scope.cancel();
      await isOver;
      return false;
    }
    if (isDone) await settleDevice(deviceId, order.epoch, { kind: 'disconnected' });
    return isDone;
  }
}

function onHost(host: string) {
  const { holdDevice } = proxyActivities<DeviceHostActivities>({
    taskQueue: devicesQueue(host),
    // As long as the device is connected; cancelling it is only looking away. The next life of a host that died says so itself.
    startToCloseTimeout: '3650 days',
    heartbeatTimeout: '30 seconds',
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { initialInterval: '100 milliseconds', backoffCoefficient: 1.5, maximumInterval: '5 seconds' },
  });
  const { releaseDevice } = proxyActivities<DeviceHostActivities>({
    taskQueue: devicesQueue(host),
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: '3 seconds',
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { initialInterval: '200 milliseconds', maximumInterval: '5 seconds' },
  });
  return { holdDevice, releaseDevice };
}
