import type { PayloadCodec } from '@temporalio/common';
import { runBlobKey } from '../../domain/names.ts';
import { type BlobExchange, BlobNotFound } from '../storage/port.ts';
import { retrieve } from './references.ts';

export type KeptValues = ReturnType<typeof createKeptValues>;

/** Reads the values that `keep` of a Payloads has kept. */
export function createKeptValues(blobs: Pick<BlobExchange, 'get' | 'stat'>, codec: PayloadCodec) {
  return {
    /** Its JSON as UTF-8; nothing when it is not there any more. */
    async read(workflowId: string, name: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
      try {
        const stored = await retrieve(blobs, runBlobKey(workflowId, name), signal ? { signal } : {});
        const [payload] = await codec.decode([stored]);
        return payload?.data ?? undefined;
      } catch (error) {
        if (error instanceof BlobNotFound) return undefined;
        throw error;
      }
    },
  };
}
