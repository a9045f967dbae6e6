import { AppError } from '../../domain/errors.ts';
import type { DeviceAddress } from '../../domain/myntrix/device-address.ts';
import type { ConnectionEnd, Transport } from './port.ts';

/** The connection of a protocol whose requests are no stream of bytes: it has an end, and takes no bytes. */
export function withoutBytes(
  address: DeviceAddress,
  ended: Promise<ConnectionEnd>,
  end: () => void,
): Transport {
  const refuse = async (): Promise<never> => {
    throw new AppError('conflict', `${address.transport} carries requests, and no bytes of others`);
  };
  return {
    address,
    mocked: false,
    write: refuse,
    overtake: refuse,
    onData: () => {},
    ended,
    async close() {
      end();
      await ended;
    },
  };
}
