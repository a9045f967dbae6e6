import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';

const message = proto.temporal.api.common.v1.Payload;

/** A payload as the bytes of its protobuf message: what is sealed and what is kept in storage. */
export const payloadBytes = (payload: Payload): Buffer => Buffer.from(message.encode(payload).finish());

/** @throws when the bytes are not a payload. */
export const payloadOf = (bytes: Uint8Array): Payload => message.decode(bytes);

/** A metadata field as text; undefined when it is not there. */
export const metadataText = ({ metadata }: Payload, name: string): string | undefined => {
  const value = metadata?.[name];
  return value ? Buffer.from(value).toString('utf8') : undefined;
};
