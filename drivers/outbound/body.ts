import type { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { OutboundError } from './port.ts';

/** What the client offers. */
export const ACCEPT_ENCODING = 'gzip, deflate, br';

const decoders: Record<string, () => Transform> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * Reads an answer's content, decoded. What comes is counted, and what it becomes: reading stops at the limit,
 * however small a bomb is on its way.
 */
export async function readBody(
  stream: Readable,
  encoding: string | undefined,
  limitBytes: number,
): Promise<Uint8Array> {
  const name = encoding?.trim().toLowerCase() || 'identity';
  const decode = Object.hasOwn(decoders, name) ? decoders[name] : undefined;
  if (!decode && name !== 'identity')
    throw new OutboundError('protocol', 'the answer has a content encoding that was not asked for', true);
  const chunks: Buffer[] = [];
  const keep = async (source: AsyncIterable<Buffer>) => {
    for await (const chunk of counted(source, limitBytes)) chunks.push(chunk);
  };
  const started = await firstOf(stream, limitBytes);
  if (decode && started) await pipeline(started, decode(), keep);
  else if (started) await pipeline(started, keep);
  return Buffer.concat(chunks);
}

/** The stream, counted, or undefined when it is empty: answers without content may name an encoding all the same. */
async function firstOf(stream: Readable, limitBytes: number) {
  const iterator = counted(stream, limitBytes)[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return undefined;
  return (async function* () {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => iterator };
  })();
}

async function* counted(source: AsyncIterable<Buffer>, limitBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > limitBytes)
      throw new OutboundError('too_large', `the answer is larger than ${limitBytes} bytes`, true);
    yield chunk;
  }
}
