import { Type } from 'typebox';
import { WantedSettings } from '../../domain/myntrix/device-settings.ts';
import { nullable } from '../../domain/wire.ts';
import type { SettingsSource } from '../devices/connection.ts';
import type { PlatformApi } from './client.ts';

const Wanted = Type.Object({ wanted: nullable(WantedSettings) });
const path = '/api/host/device-settings';

/** Asks the platform what a device is to be set to, and tells it what came of it, as a worker host. */
export const createSettingsSource = (api: PlatformApi): SettingsSource => ({
  wanted: async (deviceId) => (await api.ask('POST', path, Wanted, { device_id: deviceId })).wanted,
  async tell(deviceId, outcome) {
    await api.ask('PUT', path, Type.Unknown(), { device_id: deviceId, ...outcome });
  },
});
