import { AppError } from '../../domain/errors.ts';
import { HostSecrets } from '../../domain/neosyntis/secrets.ts';
import type { Json } from '../../domain/wire.ts';
import type { SecretSource } from '../secrets/port.ts';
import { ApiRefusal, type PlatformApi } from './client.ts';

/** An API that restarts is back within this time. */
const WITHIN_MS = 15_000;
const PAUSE_MS = 250;

/** Asks the platform for secrets, as a worker host. */
export const createHostSecrets = (api: PlatformApi): SecretSource => ({
  async resolve(runId, names) {
    const deadline = Date.now() + WITHIN_MS;
    for (;;) {
      try {
        const { secrets } = await api.ask('POST', '/api/host/secrets', HostSecrets, { run_id: runId, names });
        return secrets;
      } catch (error) {
        if (error instanceof ApiRefusal && error.status < 500)
          throw new Error(`the platform refused to give secrets (${error.status})`, { cause: error });
        if (Date.now() > deadline) throw new Error('the platform gives no secrets', { cause: error });
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  },
});

/**
 * Asks the platform for the secrets that a device's configuration names.
 * @throws AppError unavailable: connecting is tried again
 */
export const createDeviceSecrets =
  (api: PlatformApi) =>
  async (deviceId: string, names: readonly string[]): Promise<Record<string, Json>> => {
    try {
      const body = { device_id: deviceId, names };
      return (await api.ask('POST', '/api/host/device-secrets', HostSecrets, body)).secrets;
    } catch (error) {
      const why = error instanceof ApiRefusal ? `: ${error.message}` : ' now';
      throw new AppError('unavailable', `the platform gives no secrets for the device${why}`);
    }
  };
