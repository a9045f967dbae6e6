import { Type } from 'typebox';
import type { DeviceCommandStore } from '../../db/myntrix/device-commands.ts';
import type { DeviceRepository } from '../../db/myntrix/devices.ts';
import { AppError } from '../../domain/errors.ts';
import { DeviceCommand } from '../../domain/myntrix/device-commands.ts';
import { Device, DeviceUpdate, deviceStatuses, NewDevice } from '../../domain/myntrix/devices.ts';
import { IdParams, literals, PageQuery } from '../../domain/wire.ts';
import { pageReply } from '../http/page.ts';
import { changesOf, etagOf, requireMatch } from '../http/put.ts';
import { created, noContent, ok, type Route, route } from '../http/route.ts';
import { checkedDefinition } from './device-definitions.ts';
import type { DeviceOrders } from './device-orders.ts';

export const devicesPath = '/api/myntrix/devices';
const base = devicesPath;

export interface DeviceRouteDeps {
  devices: DeviceRepository;
  commands: DeviceCommandStore;
  orders: DeviceOrders;
  /** Has the devices that name no host. */
  defaultHost: string;
}

export function createDeviceRoutes({ devices, commands, orders, defaultHost }: DeviceRouteDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: base,
      access: 'myntrix:devices:read',
      summary: 'List devices',
      query: Type.Object(
        {
          ...PageQuery,
          status: Type.Optional(literals(deviceStatuses)),
          host: Type.Optional(Type.String({ maxLength: 63 })),
        },
        { additionalProperties: false },
      ),
      answers: { 200: { description: 'newest first', schema: Type.Array(Device) } },
      handler: async ({ query, request }) => pageReply(await devices.list(query), query, request),
    }),
    route({
      method: 'POST',
      path: base,
      access: 'myntrix:devices:write',
      summary: 'Add a device',
      description:
        'It is disconnected until it is connected. `host` (or `configuration.host`) is the worker host that it is plugged into or reached from, the installation’s own unless given.',
      body: NewDevice,
      answers: { 201: { description: 'the device', schema: Device } },
      async handler({ user, body: { name, type = '', connectionString, configuration = {}, host } }) {
        const device = await devices.create(
          user,
          checkedDefinition({
            name,
            type,
            connectionString,
            configuration,
            host: host ?? configuration.host ?? defaultHost,
          }),
        );
        return created(device, `${base}/${device.id}`);
      },
    }),
    route({
      method: 'GET',
      path: `${base}/{id}`,
      access: 'myntrix:devices:read',
      summary: 'Read a device',
      description:
        'What is wanted of it (`desired`) and how it is (`status`), at most 2 s old; `unknown` while its host is not there.',
      params: IdParams,
      answers: { 200: { description: 'the device', schema: Device } },
      async handler({ params }) {
        const device = await devices.get(params.id);
        return ok(device, { ETag: etagOf(definitionOf(device)) });
      },
    }),
    route({
      method: 'PUT',
      path: `${base}/{id}`,
      access: 'myntrix:devices:write',
      summary: 'Change a device',
      description:
        'A configuration counts from the next connect on. connectionString and host can be changed while it is disconnected. Honours If-Match, of name, type, connectionString, configuration and host.',
      params: IdParams,
      body: DeviceUpdate,
      headers: { 'If-Match': 'the ETag of what was read' },
      answers: { 200: { description: 'the device as it is now', schema: Device } },
      errors: ['conflict', 'precondition_failed'],
      async handler({ params, body, request }) {
        const sent = withoutLive(body);
        const device = await devices.update(params.id, (current) => {
          requireMatch(request.header('If-Match'), etagOf(definitionOf(current)));
          const changes = changesOf(current, sent, [
            'name',
            'type',
            'connectionString',
            'configuration',
            'host',
          ]);
          const next = { ...definitionOf(current), ...changes };
          const moves = next.host !== current.host || next.connectionString !== current.connectionString;
          const isFree =
            current.desired === 'disconnected' && ['disconnected', 'error'].includes(current.status);
          if (moves && !isFree)
            throw new AppError(
              'conflict',
              `Device ${params.id} is ${current.status} on host "${current.host}": disconnect it before it is somewhere else.`,
            );
          return checkedDefinition(next);
        });
        return ok(device, { ETag: etagOf(definitionOf(device)) });
      },
    }),
    route({
      method: 'DELETE',
      path: `${base}/{id}`,
      access: 'myntrix:devices:write',
      summary: 'Delete a device',
      description:
        'It is disconnected, its recorded commands go with it, and its jobs that wait are cancelled. One that is connected and in the middle of a job is kept.',
      params: IdParams,
      errors: ['conflict'],
      answers: { 204: { description: 'nobody finds it any more' } },
      async handler({ params }) {
        await orders.remove(params.id);
        return noContent();
      },
    }),
    route({
      method: 'GET',
      path: `${base}/{id}/commands`,
      access: 'myntrix:devices:read',
      summary: 'List what was given to a device',
      params: IdParams,
      query: Type.Object(PageQuery, { additionalProperties: false }),
      answers: {
        200: {
          description: 'commands and emergency stops with their times and answers, newest first',
          schema: Type.Array(DeviceCommand),
        },
      },
      async handler({ params, query, request }) {
        await devices.look(params.id);
        return pageReply(await commands.list(params.id, query), query, request);
      },
    }),
  ];
}

/** What changes by itself is not the caller's to change, and nobody can send it as it is. */
const live = [
  ...(['status', 'statusReason', 'statusSince', 'desired', 'lastSeen', 'protocol', 'firmwareName'] as const),
  ...(['firmwareVersion', 'safety', 'emergencyNote', 'interrupted', 'mocked', 'updatedAt'] as const),
];
const withoutLive = (body: DeviceUpdate): DeviceUpdate =>
  Object.fromEntries(Object.entries(body).filter(([name]) => !live.some((one) => one === name)));

const definitionOf = ({ name, type, connectionString, configuration, host }: Device) => ({
  name,
  type,
  connectionString,
  configuration,
  host,
});
