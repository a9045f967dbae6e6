import type { Config } from '../../config.ts';
import type { HostSettings } from '../../domain/system/host-access.ts';
import { busPassword } from '../../drivers/bus/credentials.ts';
import type { Keys } from '../../keys.ts';

export type HostSettingsConfig = Pick<
  Config,
  | 'TEMPORAL_ADDRESS'
  | 'TEMPORAL_NAMESPACE'
  | 'BUS_URL'
  | 'VAREON_BUS_PORT'
  | 'VAREON_PAYLOAD_CODEC'
  | 'VAREON_HOST_TEMPORAL_ADDRESS'
  | 'VAREON_HOST_TEMPORAL_TLS'
  | 'VAREON_HOST_TEMPORAL_API_KEY'
  | 'VAREON_HOST_BUS_URL'
  | 'VAREON_HOST_BUS_PASSWORD'
>;

/** What a host is told: where Temporal and the bus are for hosts, which may be elsewhere than for the API. */
export function createHostSettings(config: HostSettingsConfig, keys: Pick<Keys, 'bus' | 'payload'>) {
  return (name: string): HostSettings => {
    const username = `host-${name}`;
    return {
      name,
      temporal: {
        address: config.VAREON_HOST_TEMPORAL_ADDRESS ?? config.TEMPORAL_ADDRESS ?? '',
        namespace: config.TEMPORAL_NAMESPACE,
        tls: config.VAREON_HOST_TEMPORAL_TLS === 'on',
        api_key: config.VAREON_HOST_TEMPORAL_API_KEY ?? null,
      },
      bus: {
        url:
          config.VAREON_HOST_BUS_URL ??
          (config.VAREON_BUS_PORT ? `mqtt://127.0.0.1:${config.VAREON_BUS_PORT}` : (config.BUS_URL ?? '')),
        username,
        // The embedded broker asks the API about credentials; a broker of one's own cannot.
        password: config.VAREON_BUS_PORT
          ? null
          : (config.VAREON_HOST_BUS_PASSWORD ?? busPassword(keys.bus, username)),
      },
      payloads: {
        seals: config.VAREON_PAYLOAD_CODEC === 'on',
        keys: keys.payload.map((key) => key.toString('base64')),
      },
    };
  };
}
