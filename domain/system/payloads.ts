import { type Static, Type } from 'typebox';

const base64 = (maxLength: number) => Type.String({ maxLength, pattern: '^[A-Za-z0-9+/_-]*={0,2}$' });

/** What one request to decode may have, and one answer holds of values from storage. */
export const DECODE_BODY_LIMIT_BYTES = 8 * 1024 * 1024;
export const DECODE_STORED_LIMIT_BYTES = 16 * 1024 * 1024;

/** `temporal.api.common.v1.Payload` as proto JSON: bytes are base64. */
export const EncodedPayload = Type.Object(
  {
    metadata: Type.Optional(Type.Record(Type.String({ maxLength: 200 }), base64(10_000))),
    data: Type.Optional(base64(DECODE_BODY_LIMIT_BYTES)),
  },
  {
    $id: 'EncodedPayload',
    examples: [{ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'eyJncmVldGluZyI6ImhlbGxvIn0=' }],
  },
);
export type EncodedPayload = Static<typeof EncodedPayload>;

/** The body of Temporal's remote codec protocol, and of its answer. */
export const EncodedPayloads = Type.Object(
  { payloads: Type.Array(EncodedPayload, { maxItems: 2_000 }) },
  { $id: 'EncodedPayloads' },
);
export type EncodedPayloads = Static<typeof EncodedPayloads>;

export const BlobParams = Type.Object({
  workflow_id: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$', examples: ['a-run'] }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$', examples: ['0'.repeat(64)] }),
});

/** A blob that a host stores: a payload as Temporal has it, sealed when that is on. */
export const HOST_BLOB_LIMIT_BYTES = 16 * 1024 * 1024;
