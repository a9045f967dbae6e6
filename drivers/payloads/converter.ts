import { fileURLToPath } from 'node:url';
import { type DataConverter, defaultPayloadConverter, ExternalStorage } from '@temporalio/common';
import type { BlobExchange } from '../storage/port.ts';
import { createPayloadCodec } from './codec.ts';
import { payloadBytes } from './proto.ts';
import { BY_REFERENCE_FROM_BYTES, createReferenceDriver } from './references.ts';

export interface PayloadSettings {
  /** 32 bytes each; the first seals, all open. Without one nothing is sealed, and nothing sealed can be read. */
  keys: readonly Buffer[];
  /** Whether what goes into Temporal is sealed. */
  seals: boolean;
  /** Where large values are; without it they do not go through. */
  blobs?: BlobExchange | undefined;
}

export interface Payloads {
  /** For every client and worker of an installation: all must be made from the same settings. */
  dataConverter: DataConverter;
  /**
   * Stores a large value of a workflow ahead, as the SDK would after an activity's end, when its heartbeats have
   * ended too. Small ones cost nothing.
   */
  keepAhead(value: unknown, target: { namespace: string; workflowId: string }): Promise<void>;
}

export const failureConverterPath = fileURLToPath(new URL('./failure-converter.ts', import.meta.url));

/** How values become what Temporal keeps: JSON, sealed when it is switched on, and by reference when large. */
export function createPayloads({ keys, seals, blobs }: PayloadSettings): Payloads {
  const [first, ...others] = keys;
  if (seals && !first) throw new Error('payloads are to be sealed, and there is no key for it');
  const codec = first && createPayloadCodec([first, ...others], { seals });
  const driver = blobs && createReferenceDriver(blobs);
  return {
    dataConverter: {
      ...(seals ? { failureConverterPath } : {}),
      payloadCodecs: codec ? [codec] : [],
      ...(driver
        ? {
            externalStorage: new ExternalStorage({
              drivers: [driver],
              payloadSizeThreshold: BY_REFERENCE_FROM_BYTES,
            }),
          }
        : {}),
    },
    async keepAhead(value, { namespace, workflowId }) {
      if (!driver) return;
      const payload = defaultPayloadConverter.toPayload(value);
      if (!payload || (payload.data?.length ?? 0) < BY_REFERENCE_FROM_BYTES) return;
      const context = { type: 'workflow', namespace, workflowId } as const;
      const sealed = codec ? await codec.encode([payload], context) : [payload];
      const large = sealed.filter((one) => payloadBytes(one).length >= BY_REFERENCE_FROM_BYTES);
      await driver.store({ target: { kind: 'workflow', namespace, id: workflowId } }, large);
    },
  };
}
