import type { DeviceOrder } from '../../../domain/myntrix/device-reports.ts';
import type { DeviceEnd, DeviceSessions } from '../../../drivers/devices/sessions/port.ts';
import { beating, holding } from '../held.ts';

/** What Temporal asks of a host's devices. To cancel one is to look away: the connection stays. */
export const createDeviceHostActivities = (devices: DeviceSessions) => ({
  holdDevice: (order: DeviceOrder): Promise<DeviceEnd> =>
    holding(devices, order.id, (signal) => devices.hold(order, signal)),
  releaseDevice: (order: { id: string; epoch: number }): Promise<void> =>
    beating(() => devices.release(order)),
});

export type DeviceHostActivities = ReturnType<typeof createDeviceHostActivities>;
