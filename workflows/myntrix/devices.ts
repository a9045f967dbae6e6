import { ActivityCancellationType, continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { DeviceHostActivities } from '../../activities/host/myntrix/devices.ts';
import type { DeviceActivities } from '../../activities/platform/myntrix/devices.ts';
import { devicesQueue, deviceUpdates } from '../../domain/names.ts';
import { followOrders, type Order } from './holding.ts';

/** Cheap and idempotent, tried until the database is back. */
const { takeDevice, settleDevice, forgetDevice } = proxyActivities<DeviceActivities>({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '200 milliseconds', maximumInterval: '5 seconds' },
});

type Wanted = NonNullable<Awaited<ReturnType<DeviceActivities['takeDevice']>>>;
type Outcome = Parameters<DeviceActivities['settleDevice']>[2];

export interface DeviceSessionInput {
  deviceId: string;
  /** The newest order that was taken; the one after a continue-as-new is taken again, which changes nothing. */
  taken: number;
}

/**
 * One device, from its first order until it is deleted. Its host holds the connection, and does what is sent to it
 * without this workflow.
 */
export async function deviceSession({ deviceId, taken }: DeviceSessionInput): Promise<void> {
  await followOrders<Wanted & Order, Outcome>({
    updates: deviceUpdates,
    taken,
    async take() {
      const wanted = await takeDevice(deviceId);
      return wanted && { ...wanted, epoch: wanted.order.epoch, isHeld: wanted.desired === 'connected' };
    },
    hold: ({ order, host }) => onHost(host).holdDevice(order),
    release: ({ order, host }) => onHost(host).releaseDevice({ id: deviceId, epoch: order.epoch }),
    released: { kind: 'disconnected' },
    settle: (epoch, end) => settleDevice(deviceId, epoch, end),
    forget: () => forgetDevice(deviceId),
    goOn: (last) => continueAsNew<typeof deviceSession>({ deviceId, taken: last }),
  });
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
