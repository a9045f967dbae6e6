import { Type } from 'typebox';
import type { DeviceRepository } from '../../db/myntrix/devices.ts';
import { type Device, Hardware } from '../../domain/myntrix/devices.ts';
import { IdParams, literals, PageQuery } from '../../domain/wire.ts';
import { pageReply } from '../http/page.ts';
import { ok, type Route, route } from '../http/route.ts';
import { createDeviceGiver } from './device-order-routes.ts';
import type { DeviceOrders } from './device-orders.ts';

const base = '/api/myntrix/hardware';

/** Devices by the names that older dashboards know. */
export function createHardwareRoutes(deps: { devices: DeviceRepository; orders: DeviceOrders }): Route[] {
  const { devices } = deps;
  const give = createDeviceGiver(deps);
  return [
    route({
      method: 'GET',
      path: base,
      access: 'myntrix:devices:read',
      summary: 'List devices and their status, as older dashboards do',
      query: Type.Object(PageQuery, { additionalProperties: false }),
      answers: { 200: { description: 'newest first', schema: Type.Array(Hardware) } },
      handler: async ({ query, request }) =>
        pageReply((await devices.list(query)).map(hardwareOf), query, request),
    }),
    route({
      method: 'GET',
      path: `${base}/{id}/status`,
      access: 'myntrix:devices:read',
      summary: 'Read the status of a device, as older dashboards do',
      params: IdParams,
      answers: { 200: { description: 'its status', schema: Hardware } },
      handler: async ({ params }) => ok(hardwareOf(await devices.get(params.id))),
    }),
    route({
      method: 'PUT',
      path: `${base}/{id}/status`,
      access: 'myntrix:devices:execute',
      summary: 'Connect or disconnect a device, as older dashboards do',
      params: IdParams,
      body: Type.Object(
        { status: literals(['connected', 'disconnected'] as const) },
        { additionalProperties: false },
      ),
      errors: ['conflict'],
      answers: { 202: { description: 'its status now', schema: Hardware } },
      handler: ({ params, body, request }) =>
        give(params.id, body.status === 'connected' ? 'connect' : 'disconnect', {
          wait: 0,
          request,
          show: hardwareOf,
        }),
    }),
  ];
}

const hardwareOf = ({ id, name, type, status, statusReason, lastSeen, firmwareVersion }: Device) => ({
  id,
  name,
  type,
  status,
  statusReason,
  lastSeen,
  firmwareVersion,
});
