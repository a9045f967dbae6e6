import { Type } from 'typebox';
import { v7 as uuidv7 } from 'uuid';
import type { DeviceSettingsRepository } from '../../db/myntrix/device-settings.ts';
import type { DeviceRepository } from '../../db/myntrix/devices.ts';
import { AppError } from '../../domain/errors.ts';
import {
  DeviceSettings,
  DeviceSettingsUpdate,
  NewDeviceSettings,
} from '../../domain/myntrix/device-settings.ts';
import { Id, IdParams, PageQuery } from '../../domain/wire.ts';
import type { CommandGiver } from '../../drivers/devices/give-command.ts';
import { checkCommand } from '../../drivers/devices/protocols/command-text.ts';
import { applySettings } from '../../drivers/devices/settings/apply.ts';
import { pageReply } from '../http/page.ts';
import { changesOf, etagOf, requireMatch } from '../http/put.ts';
import { created, noContent, ok, type Route, route } from '../http/route.ts';

const base = '/api/neosyntis/devices';
/** Of each command. */
const EACH_MS = 10_000;

export interface DeviceSettingsDeps {
  settings: DeviceSettingsRepository;
  devices: Pick<DeviceRepository, 'get'>;
  give: CommandGiver;
}

/** Settings of devices: what they are to be, what the devices say, and the difference. */
export const createDeviceSettingsRoutes = ({ settings, devices, give }: DeviceSettingsDeps): Route[] => [
  route({
    method: 'GET',
    path: base,
    access: 'myntrix:devices:read',
    summary: 'List the settings of devices',
    query: Type.Object({ ...PageQuery, device_id: Type.Optional(Id) }, { additionalProperties: false }),
    answers: { 200: { description: 'newest first', schema: Type.Array(DeviceSettings) } },
    handler: async ({ query, request }) => pageReply(await settings.list(query), query, request),
  }),
  route({
    method: 'POST',
    path: base,
    access: 'myntrix:devices:write',
    summary: 'Give a device settings',
    description:
      'They are applied with each connect, and by `apply`. Names are those of the protocol (`$110` of GRBL, `M92 X` of Marlin, registers of Modbus, keys of JSON); others say in `settings` how they are written and read.',
    body: NewDeviceSettings,
    answers: { 201: { description: 'the settings', schema: DeviceSettings } },
    errors: ['conflict', 'not_found'],
    async handler({ user, body }) {
      const made = await settings.create(user, body);
      return created(made, `${base}/${made.id}`);
    },
  }),
  route({
    method: 'GET',
    path: `${base}/{id}`,
    access: 'myntrix:devices:read',
    summary: 'Read the settings of a device',
    params: IdParams,
    answers: {
      200: {
        description: 'what is wanted, what the device said, and the difference',
        schema: DeviceSettings,
      },
    },
    async handler({ params }) {
      const found = await settings.get(params.id);
      return ok(found, { ETag: etagOf(writable(found)) });
    },
  }),
  route({
    method: 'PUT',
    path: `${base}/{id}`,
    access: 'myntrix:devices:write',
    summary: 'Change the settings of a device',
    description: 'They count from the next connect or `apply` on. Honours If-Match, of settings and desired.',
    params: IdParams,
    body: DeviceSettingsUpdate,
    headers: { 'If-Match': 'the ETag of what was read' },
    answers: { 200: { description: 'the settings as they are now', schema: DeviceSettings } },
    errors: ['precondition_failed'],
    async handler({ params, body, request }) {
      const changed = await settings.update(params.id, (current) => {
        requireMatch(request.header('If-Match'), etagOf(writable(current)));
        return { ...writable(current), ...changesOf(current, withoutLive(body), ['settings', 'desired']) };
      });
      return ok(changed, { ETag: etagOf(writable(changed)) });
    },
  }),
  route({
    method: 'DELETE',
    path: `${base}/{id}`,
    access: 'myntrix:devices:write',
    summary: 'Forget the settings of a device',
    description: 'The device stays as it is.',
    params: IdParams,
    answers: { 204: { description: 'gone' } },
    async handler({ params }) {
      await settings.remove(params.id);
      return noContent();
    },
  }),
  route({
    method: 'POST',
    path: `${base}/{id}/apply`,
    access: 'myntrix:devices:execute',
    summary: 'Bring a connected device to its settings now',
    description:
      'Asks the device, writes what differs, each once, and asks again: by commands, which are recorded as such. `difference` says of each that is not as it is wanted why.',
    params: IdParams,
    answers: { 200: { description: 'what the device says now', schema: DeviceSettings } },
    errors: ['conflict', 'unavailable'],
    async handler({ user, params }) {
      const found = await settings.get(params.id);
      const device = await devices.get(found.device_id);
      const { protocol } = device;
      if (device.status !== 'connected' || protocol === null)
        throw new AppError('conflict', `The device "${device.name}" is ${device.status}: connect it first.`);
      const outcome = await applySettings(
        async (command) => {
          checkCommand(command, protocol);
          const given = {
            id: uuidv7(),
            device,
            command,
            timeoutMs: EACH_MS,
            requestedBy: user.userId,
            runId: null,
            origin: null,
          };
          const { state, response, reason } = await give(given);
          return { state, lines: (response ?? '').split('\n'), ...(reason === null ? {} : { reason }) };
        },
        protocol,
        found,
      );
      await settings.report(found.device_id, outcome);
      return ok(await settings.get(params.id));
    },
  }),
];

const writable = ({ settings, desired }: DeviceSettings) => ({ settings, desired });

/** What changes by itself is not the caller's to change, and nobody can send it as it is. */
const withoutLive = (body: Partial<DeviceSettings>): Partial<DeviceSettings> =>
  Object.fromEntries(
    Object.entries(body).filter(
      ([name]) => !['reported', 'difference', 'reported_at', 'updated_at'].includes(name),
    ),
  );
