import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec, SerializationContext } from '@temporalio/common';
import { metadataText, payloadBytes, payloadOf } from './proto.ts';

const ENCODING = 'binary/encrypted';
const CIPHER = 'AES-256-GCM';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Larger values are sealed alike each time within one workflow, so that storage keeps them once. */
const ALIKE_FROM_BYTES = 128 * 1024;

/**
 * Seals what goes into Temporal: data is nonce, ciphertext and tag; the key's id stands in the metadata, and is
 * authenticated. What is not sealed passes through `decode`, so that it can be switched on over old histories.
 * @param keys 32 bytes each. The first seals; all of them open, so that a new key can be put in front.
 * @param options seals: false opens only, for an installation that switched it off.
 */
export function createPayloadCodec(
  keys: readonly [Buffer, ...Buffer[]],
  { seals }: { seals: boolean },
): PayloadCodec {
  const byId = new Map(keys.map((key) => [keyId(key), key]));
  const [current] = keys;
  const id = keyId(current);
  const metadata = {
    encoding: Buffer.from(ENCODING),
    'encryption-cipher': Buffer.from(CIPHER),
    'encryption-key-id': Buffer.from(id),
  };

  function seal(payload: Payload, context?: SerializationContext): Payload {
    const plain = payloadBytes(payload);
    const nonce = nonceFor(current, plain, context);
    const cipher = createCipheriv('aes-256-gcm', current, nonce);
    cipher.setAAD(associated(id));
    return {
      metadata,
      data: Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]),
    };
  }

  function open(payload: Payload): Payload {
    if (metadataText(payload, 'encoding') !== ENCODING) return payload;
    const name = metadataText(payload, 'encryption-key-id') ?? '';
    const key = byId.get(name);
    if (!key) throw new Error(`a payload was sealed with key ${name.slice(0, 16)}, which is not here`);
    const data = Buffer.from(payload.data ?? []);
    if (data.length < NONCE_BYTES + TAG_BYTES) throw new Error('a sealed payload is cut short');
    const decipher = createDecipheriv('aes-256-gcm', key, data.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(associated(name));
    decipher.setAuthTag(data.subarray(-TAG_BYTES));
    return payloadOf(
      Buffer.concat([decipher.update(data.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]),
    );
  }

  return {
    encode: async (payloads, context) =>
      seals ? payloads.map((payload) => seal(payload, context)) : payloads,
    decode: async (payloads) => payloads.map(open),
  };
}

/**
 * Random, but for large values: theirs is a keyed hash of workflow and value. Who reads the store then learns
 * that two large values of one workflow are equal, and nothing across workflows or about small ones.
 */
function nonceFor(key: Buffer, plain: Buffer, context?: SerializationContext): Buffer {
  const workflowId = context?.workflowId;
  if (plain.length < ALIKE_FROM_BYTES || workflowId === undefined) return randomBytes(NONCE_BYTES);
  const own = createHmac('sha256', key).update('vareon payload nonce').digest();
  return createHmac('sha256', own)
    .update(`${workflowId.length} ${workflowId} `)
    .update(plain)
    .digest()
    .subarray(0, NONCE_BYTES);
}

const keyId = (key: Buffer): string =>
  createHash('sha256').update('vareon payload key id').update(key).digest('hex').slice(0, 16);

const associated = (id: string): Buffer => Buffer.from(`${ENCODING} ${CIPHER} ${id}`);
