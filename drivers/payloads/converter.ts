import { fileURLToPath } from 'node:url';
import {
  type DataConverter,
  defaultPayloadConverter,
  ExternalStorage,
  type Payload,
} from '@temporalio/common';
import type { BlobExchange } from '../storage/port.ts';
import { createPayloadCodec } from './codec.ts';
import { payloadBytes } from './proto.ts';
import { BY_REFERENCE_FROM_BYTES, createReferenceDriver, nameOf } from './references.ts';

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
  /**
   * Keeps a value of a workflow as a blob of its own, whatever its size; one that went through Temporal alone and by
   * reference is there already. @returns its name, a SHA-256: KeptValues reads it.
   */
  keep(value: unknown, target: { namespace: string; workflowId: string }): Promise<string>;
}

export const failureConverterPath = fileURLToPath(new URL('./failure-converter.ts', import.meta.url));

/** How values become what Temporal keeps: JSON, sealed when it is switched on, and by reference when large. */
export function createPayloads({ keys, seals, blobs }: PayloadSettings): Payloads {
  const [first, ...others] = keys;
  if (seals && !first) throw new Error('payloads are to be sealed, and there is no key for it');
  const codec = first && createPayloadCodec([first, ...others], { seals });
  const driver = blobs && createReferenceDriver(blobs);
  const sealed = async (payload: Payload, namespace: string, workflowId: string) => {
    const context = { type: 'workflow', namespace, workflowId } as const;
    return seals && codec ? await codec.encode([payload], context) : [payload];
  };
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
      const large = (await sealed(payload, namespace, workflowId)).filter(
        (one) => payloadBytes(one).length >= BY_REFERENCE_FROM_BYTES,
      );
      await driver.store({ target: { kind: 'workflow', namespace, id: workflowId } }, large);
    },
    async keep(value, { namespace, workflowId }) {
      const payload = defaultPayloadConverter.toPayload(value);
      if (!driver || !payload) throw new Error('there is no storage, or no value, to keep');
      const [claim] = await driver.store(
        { target: { kind: 'workflow', namespace, id: workflowId } },
        await sealed(payload, namespace, workflowId),
      );
      return nameOf(claim?.claimData.key ?? '');
    },
  };
}
