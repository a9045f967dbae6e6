import type { BlobContent, BlobExchange, BlobOptions, BlobStore } from './port.ts';

/** All of a stream. @throws when it has more than `limitBytes`. */
export async function wholeOf(content: AsyncIterable<Uint8Array>, limitBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    if (bytes > limitBytes) throw new Error(`there are more than ${limitBytes} bytes, the limit`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/** A blob of at most `limitBytes`. @throws BlobNotFound */
export async function readBlob(
  blobs: Pick<BlobExchange, 'get'>,
  key: string,
  limitBytes: number,
  options?: BlobOptions,
): Promise<Buffer> {
  return wholeOf((await blobs.get(key, options)).content, limitBytes);
}

/** Deletes all below a prefix. @returns how many there were. */
export async function deleteBlobs(store: BlobStore, prefix: string, options?: BlobOptions): Promise<number> {
  let deleted = 0;
  for (let from: string | undefined; ; ) {
    const { blobs, next } = await store.list(prefix, { from }, options);
    for (const { key } of blobs) await store.delete(key, options);
    deleted += blobs.length;
    if (next === undefined) return deleted;
    from = next;
  }
}

/** Content as a stream, in pieces as they come. */
export async function* piecesOf(content: BlobContent): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) yield content;
  else yield* content;
}
