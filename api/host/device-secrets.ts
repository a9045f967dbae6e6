import type { DeviceRepository } from '../../db/myntrix/devices.ts';
import type { SecretValues } from '../../db/neosyntis/secret-values.ts';
import { AppError } from '../../domain/errors.ts';
import { parseDeviceAddress } from '../../domain/myntrix/device-address.ts';
import { readMessageSettings, secretsOf } from '../../domain/myntrix/device-connection.ts';
import type { Device } from '../../domain/myntrix/devices.ts';
import { DeviceSecretsRequest, HostSecrets } from '../../domain/neosyntis/secrets.ts';
import type { Logger } from '../../logs.ts';
import { ok, type Route, route } from '../http/route.ts';

export interface DeviceSecretDeps {
  devices: Pick<DeviceRepository, 'get'>;
  values: Pick<SecretValues, 'resolveShared'>;
  log: Logger;
}

/** What a worker host needs to log in to a device that it is told to hold. */
export const createDeviceSecretRoutes = ({ devices, values, log }: DeviceSecretDeps): Route[] => [
  route({
    method: 'POST',
    path: '/api/host/device-secrets',
    access: 'host',
    summary: 'Secrets for a device of the host',
    description:
      'Only those that the configuration of a device names which that host is told to hold, and that an administrator shares.',
    body: DeviceSecretsRequest,
    answers: { 200: { description: 'the values by name', schema: HostSecrets } },
    errors: ['not_found'],
    audit: false,
    async handler({ host, body: { device_id, names } }) {
      const device = await devices.get(device_id);
      const isHeld = device.host === host && device.desired === 'connected';
      const named = isHeld ? namedBy(device) : [];
      const foreign = names.filter((name) => !named.includes(name));
      if (!isHeld || foreign.length > 0)
        throw new AppError(
          'not_found',
          `No device ${device_id} that is connected on ${host} names ${(isHeld ? foreign : names).join(', ')}.`,
        );
      log.info({ host, deviceId: device_id, names }, 'secrets for a device');
      return ok({ secrets: await values.resolveShared(names) });
    },
  }),
];

const namedBy = ({ connectionString, configuration }: Device): string[] =>
  secretsOf(readMessageSettings(parseDeviceAddress(connectionString, configuration.port), configuration));
