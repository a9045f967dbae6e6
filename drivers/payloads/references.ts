import { createHash } from 'node:crypto';
import {
  type Payload,
  type StorageDriver,
  StorageDriverClaim,
  type StorageDriverTargetInfo,
} from '@temporalio/common';
import { runBlobKey } from '../../domain/names.ts';
import type { BlobExchange } from '../storage/port.ts';
import { readBlob } from '../storage/read.ts';
import { metadataText, payloadBytes, payloadOf } from './proto.ts';

/** Payloads from this size on are kept in storage, and a reference goes through Temporal. */
export const BY_REFERENCE_FROM_BYTES = 256 * 1024;

/** What one stored payload may have: the largest value, sealed, with room for what is around it. */
export const STORED_PAYLOAD_LIMIT_BYTES = 16 * 1024 * 1024;

/** The name stands in histories: it never changes. */
const DRIVER = 'vareon';

/**
 * Keeps large payloads as blobs named by the workflow and by their SHA-256, so that the same one is kept once
 * for a workflow, and all of a workflow's can be deleted by their prefix.
 */
export function createReferenceDriver(blobs: BlobExchange): StorageDriver {
  return {
    name: DRIVER,
    type: 'vareon.blobs',
    async store({ target, abortSignal }, payloads) {
      const claims: StorageDriverClaim[] = [];
      for (const payload of payloads) {
        const bytes = payloadBytes(payload);
        const key = runBlobKey(ownerOf(target), sha256(bytes));
        const options = abortSignal ? { signal: abortSignal } : {};
        const there = await blobs.stat(key, options);
        if (there?.sizeBytes !== bytes.length) await blobs.put(key, bytes, options);
        claims.push(new StorageDriverClaim({ key }));
      }
      return claims;
    },
    async retrieve({ abortSignal }, claims) {
      const options = abortSignal ? { signal: abortSignal } : {};
      return Promise.all(claims.map(({ claimData }) => retrieve(blobs, claimData.key ?? '', options)));
    },
  };
}

/** The payload kept under a key. @throws when it is not there, or not what was stored. */
export async function retrieve(
  blobs: Pick<BlobExchange, 'get'>,
  key: string,
  options: { signal?: AbortSignal } = {},
): Promise<Payload> {
  const hash = /^runs\/[^/]+\/([0-9a-f]{64})$/.exec(key)?.[1];
  if (!hash) throw new Error('a reference names no stored payload');
  const bytes = await readBlob(blobs, key, STORED_PAYLOAD_LIMIT_BYTES, options);
  if (sha256(bytes) !== hash) throw new Error(`the blob ${key} is not what was stored`);
  return payloadOf(bytes);
}

/** What a blob of a workflow is named in it. */
export const nameOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1);

/** The key in a reference, as Temporal's SDKs write them; undefined for any other payload. */
export function referencedKey(payload: Payload): string | undefined {
  if (
    metadataText(payload, 'encoding') !== 'json/protobuf' ||
    metadataText(payload, 'messageType') !== 'temporal.api.sdk.v1.ExternalStorageReference'
  )
    return undefined;
  try {
    const reference: unknown = JSON.parse(Buffer.from(payload.data ?? []).toString('utf8'));
    const { driverName, claimData } = reference as { driverName?: unknown; claimData?: { key?: unknown } };
    return driverName === DRIVER && typeof claimData?.key === 'string' ? claimData.key : undefined;
  } catch {
    return undefined; // not JSON: nothing that we wrote
  }
}

/** Workflow ids that cannot stand in a key (those of schedules have colons) stand by their hash. */
function ownerOf(target: StorageDriverTargetInfo | undefined): string {
  const id = target?.id ?? '';
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/.test(id) ? id : `id-${sha256(Buffer.from(id))}`;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
