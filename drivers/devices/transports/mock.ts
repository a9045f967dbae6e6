import type { MockAddress } from '../../../domain/myntrix/device-address.ts';
import type { ConnectionEnd, Transport } from '../port.ts';

/**
 * Nothing real: answers every line with `ok`. For trying the platform without a device; whatever comes of it says
 * `mocked: true`. The simulators (test/simulators) behave like devices; this does not.
 */
export function openMock(address: MockAddress): Transport {
  const over = Promise.withResolvers<ConnectionEnd>();
  let listener = (_: Buffer): void => {};
  let isOpen = true;
  const take = async (bytes: Uint8Array): Promise<void> => {
    const lines = Buffer.from(bytes).toString('latin1').split('\n').length - 1;
    if (lines > 0) setImmediate(() => isOpen && listener(Buffer.from('ok\n'.repeat(lines))));
  };
  return {
    address,
    mocked: true,
    write: take,
    overtake: take,
    onData: (next) => {
      listener = next;
    },
    ended: over.promise,
    async close() {
      isOpen = false;
      over.resolve({ kind: 'closed' });
    },
  };
}
