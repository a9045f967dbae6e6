import { Type } from 'typebox';
import type { DeviceSettingsRepository } from '../../db/myntrix/device-settings.ts';
import { SettingsReport, WantedSettings } from '../../domain/myntrix/device-settings.ts';
import { Id, nullable } from '../../domain/wire.ts';
import { noContent, ok, type Route, route } from '../http/route.ts';

/** What a worker host brings its devices to when it has connected to them, and what came of it. */
export const createHostDeviceSettingsRoutes = (settings: DeviceSettingsRepository): Route[] => [
  route({
    method: 'POST',
    path: '/api/host/device-settings',
    access: 'host',
    summary: 'Settings that a device of the host is to have',
    body: Type.Object({ device_id: Id }, { additionalProperties: false }),
    answers: {
      200: {
        description:
          'as they are wanted now; null for a device that has none, or is not to be connected on that host',
        schema: Type.Object({ wanted: nullable(WantedSettings) }, { $id: 'HostDeviceSettings' }),
      },
    },
    audit: false, // each time that something connects
    handler: async ({ host, body }) => ok({ wanted: (await settings.wanted(host, body.device_id)) ?? null }),
  }),
  route({
    method: 'PUT',
    path: '/api/host/device-settings',
    access: 'host',
    summary: 'Tell the settings that a device of the host has',
    body: SettingsReport,
    answers: { 204: { description: 'noted' } },
    audit: false, // each time that something connects
    async handler({ host, body: { device_id, ...outcome } }) {
      await settings.report(device_id, outcome, host);
      return noContent();
    },
  }),
];
