import type { DeviceRepository } from '../../db/myntrix/devices.ts';
import { Device } from '../../domain/myntrix/devices.ts';
import { type DeviceAction, deviceUpdates } from '../../domain/names.ts';
import { IdParams } from '../../domain/wire.ts';
import { accepted, type Reply, type RequestInfo, type Route, route } from '../http/route.ts';
import type { DeviceOrders } from './device-orders.ts';
import { devicesPath as base } from './devices.ts';
import { WaitQuery } from './wait-query.ts';

const said = { connect: 'Connect a device', disconnect: 'Disconnect a device' } as const;
const actions = Object.keys(deviceUpdates) as DeviceAction[]; // its keys are the actions

export interface DeviceOrderRouteDeps {
  devices: Pick<DeviceRepository, 'get'>;
  orders: DeviceOrders;
}

/** Orders a device to be connected or not, and answers how it is; with `wait` once that is done. */
export function createDeviceGiver({ devices, orders }: DeviceOrderRouteDeps) {
  return async (
    id: string,
    action: DeviceAction,
    { wait, request, show }: { wait: number; request: RequestInfo; show(device: Device): unknown },
  ): Promise<Reply> => {
    await orders.give(id, action);
    const reply = async () => accepted(show(await devices.get(id)), `${base}/${id}`);
    if (wait === 0) return reply();
    const later = async () => {
      await orders.untilDone(id, action, wait, request.signal);
      return reply();
    };
    return { status: 202, later };
  };
}

/** Routes that connect and disconnect devices. */
export function createDeviceOrderRoutes(deps: DeviceOrderRouteDeps): Route[] {
  const give = createDeviceGiver(deps);
  return actions.map((action) =>
    route({
      method: 'POST',
      path: `${base}/{id}/${action}`,
      access: 'myntrix:devices:execute',
      summary: said[action],
      description:
        action === 'connect'
          ? 'It is connected to again whenever the connection is lost, until it is disconnected. With `?wait=` the answer comes when it is connected or cannot be, or after so many seconds. It clears the note of an emergency stop.'
          : 'With `?wait=` the answer comes when the connection is closed, or after so many seconds.',
      params: IdParams,
      query: WaitQuery,
      errors: ['conflict'],
      answers: { 202: { description: 'the device as it is now', schema: Device } },
      handler: ({ params, query, request }) =>
        give(params.id, action, { wait: query.wait ?? 0, request, show: (device) => device }),
    }),
  );
}
