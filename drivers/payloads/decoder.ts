import type { Payload, PayloadCodec } from '@temporalio/common';
import type { BlobExchange } from '../storage/port.ts';
import { referencedKey, retrieve } from './references.ts';

/**
 * Payloads as they are in a history, made readable: fetched from storage as long as those of one call stay
 * below `limitBytes`, and opened. What is over the limit, or is not in storage any more, stays a reference.
 * @throws when one cannot be opened: its key is not here, or it was changed.
 */
export const createPayloadDecoder =
  (blobs: Pick<BlobExchange, 'get' | 'stat'>, codec: PayloadCodec) =>
  async (payloads: Payload[], limitBytes: number, signal?: AbortSignal): Promise<Payload[]> => {
    const options = signal ? { signal } : {};
    let left = limitBytes;
    const fetched: Payload[] = [];
    for (const payload of payloads) {
      const key = referencedKey(payload);
      const size = key === undefined ? undefined : (await blobs.stat(key, options))?.sizeBytes;
      if (key === undefined || size === undefined || size > left) {
        fetched.push(payload);
        continue;
      }
      left -= size;
      fetched.push(await retrieve(blobs, key, options));
    }
    return codec.decode(fetched);
  };

export type PayloadDecoder = ReturnType<typeof createPayloadDecoder>;
