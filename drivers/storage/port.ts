import type { Readable } from 'node:stream';

/** What is kept under a key. */
export interface BlobInfo {
  key: string;
  sizeBytes: number;
}

/** Bytes at hand, or a stream of them: what is large is never whole in memory. */
export type BlobContent = Uint8Array | AsyncIterable<Uint8Array>;

export interface BlobOptions {
  /** Gives up; a `put` that is given up leaves nothing behind. */
  signal?: AbortSignal;
}

/** What a process needs that only exchanges blobs, such as a worker host. */
export interface BlobExchange {
  /**
   * Keeps the content under the key, in place of what was there: whole or, when it throws, not at all.
   * What it has answered survives a power cut.
   */
  put(key: string, content: BlobContent, options?: BlobOptions): Promise<BlobInfo>;
  /** The content as a stream, to be read or destroyed; reading may still fail. @throws BlobNotFound */
  get(key: string, options?: BlobOptions): Promise<BlobInfo & { content: Readable }>;
  /** What is there without reading it; undefined when nothing is. */
  stat(key: string, options?: BlobOptions): Promise<BlobInfo | undefined>;
}

/** Keeps blobs: a folder or S3. Keys are checked by `requireKey`; every call ends within a time limit. */
export interface BlobStore extends BlobExchange {
  /** What is not there is deleted already. */
  delete(key: string, options?: BlobOptions): Promise<void>;
  /**
   * A page of what is below a prefix, each blob on one page, in an order of the store's own.
   * @param prefix whole segments ending with `/`, or '' for everything
   * @param page from: `next` of the page before; limit: 1 to 1,000, which is the default
   */
  list(
    prefix: string,
    page?: { from?: string | undefined; limit?: number },
    options?: BlobOptions,
  ): Promise<{ blobs: BlobInfo[]; next?: string }>;
  close(): void;
}

export class BlobNotFound extends Error {
  override readonly name = 'BlobNotFound';
  constructor(key: string, options?: ErrorOptions) {
    super(`There is no blob ${key}.`, options);
  }
}
