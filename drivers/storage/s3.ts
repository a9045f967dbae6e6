import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { requireKey, requirePrefix } from './keys.ts';
import { type BlobInfo, BlobNotFound, type BlobStore } from './port.ts';

export interface S3Options {
  bucket: string;
  /** Goes before every key; '' or ends with `/`. */
  prefix: string;
  /** Of another server than AWS, such as `http://127.0.0.1:9000`. */
  endpoint?: string | undefined;
  region?: string | undefined;
  /** Without them the SDK looks where AWS tools do: shared files, web identity, the machine's role. */
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined;
}

const CONNECT_MS = 5_000;
/** A transfer in which nothing moves for so long is given up. */
const IDLE_MS = 30_000;
const ATTEMPTS = 3;
const PAGE = 1_000;

/** Blobs in a bucket of S3 or of a server that speaks its protocol. */
export function openS3Store({ bucket, prefix, endpoint, region, credentials }: S3Options): BlobStore {
  const client = new S3Client({
    region: region ?? 'us-east-1',
    ...(endpoint ? { endpoint } : {}),
    ...(credentials ? { credentials } : {}),
    // Host names for each bucket are for AWS; others answer at paths, and so does AWS.
    forcePathStyle: true,
    // CRC trailers by default are for AWS: older servers of others store them as part of the content.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: IDLE_MS, throwOnRequestTimeout: true },
  });
  const at = (key: string) => ({ Bucket: bucket, Key: prefix + requireKey(key) });
  const until = (signal?: AbortSignal) => (signal ? { abortSignal: signal } : {});

  return {
    async put(key, content, { signal } = {}) {
      if (content instanceof Uint8Array) {
        await client.send(new PutObjectCommand({ ...at(key), Body: content }), until(signal));
        return { key, sizeBytes: content.length };
      }
      let sizeBytes = 0;
      const counted = async function* () {
        for await (const piece of content) {
          sizeBytes += piece.length;
          yield piece;
        }
      };
      const upload = new Upload({
        client,
        params: { ...at(key), Body: Readable.from(counted(), { objectMode: false }) },
      });
      const giveUp = () => void upload.abort();
      signal?.addEventListener('abort', giveUp, { once: true });
      try {
        signal?.throwIfAborted();
        await upload.done();
      } finally {
        signal?.removeEventListener('abort', giveUp);
      }
      return { key, sizeBytes };
    },

    async get(key, { signal } = {}) {
      try {
        const { Body, ContentLength } = await client.send(new GetObjectCommand(at(key)), until(signal));
        return { key, sizeBytes: ContentLength ?? 0, content: Body as Readable }; // the type in Node
      } catch (error) {
        throw isMissing(error) ? new BlobNotFound(key, { cause: error }) : error;
      }
    },

    async stat(key, { signal } = {}) {
      try {
        const { ContentLength } = await client.send(new HeadObjectCommand(at(key)), until(signal));
        return { key, sizeBytes: ContentLength ?? 0 };
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },

    async delete(key, { signal } = {}) {
      await client.send(new DeleteObjectCommand(at(key)), until(signal));
    },

    async list(within, { from, limit = PAGE } = {}, { signal } = {}) {
      const { Contents = [], IsTruncated } = await client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix + requirePrefix(within),
          MaxKeys: limit,
          // Keys come in their order, so the last one says where to go on: a plainer thing than a token.
          ...(from === undefined ? {} : { StartAfter: prefix + from }),
        }),
        until(signal),
      );
      const blobs: BlobInfo[] = Contents.map(({ Key = '', Size = 0 }) => ({
        key: Key.slice(prefix.length),
        sizeBytes: Size,
      }));
      const next = IsTruncated ? blobs.at(-1)?.key : undefined;
      return next === undefined ? { blobs } : { blobs, next };
    },

    close: () => client.destroy(),
  };
}

function isMissing(error: unknown): boolean {
  const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
  return name === 'NoSuchKey' || (name === 'NotFound' && $metadata?.httpStatusCode === 404);
}
