import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, buildConnector, fetch, Response } from 'undici';
import { requireKey } from './keys.ts';
import { type BlobExchange, BlobNotFound } from './port.ts';

export interface RemoteOptions {
  /** Such as `https://vareon.example.org`. */
  apiUrl: string;
  /** The host's own; the API lets it reach the blobs of runs that it has a step of. */
  credential: string;
  /** A file with the API's certificate: it is trusted whatever name is in it, and no other is. */
  certificate?: string | undefined;
}

/** One request until it is answered; 16 MiB take 20 s at 7 Mbit/s. What is answered may take longer, if it does not stand still. */
const REQUEST_MS = 30_000;
/** An API that restarts is back within this time. */
const RETRY_WITHIN_MS = 20_000;
const RETRY_EVERY_MS = 250;

/** Blobs by way of the API, for hosts that reach no storage of their own. */
export function createRemoteBlobs({ apiUrl, credential, certificate }: RemoteOptions): BlobExchange {
  const dispatcher = new Agent({
    bodyTimeout: REQUEST_MS,
    ...(certificate ? { connect: trusting(certificate) } : {}),
  });

  async function request(
    method: string,
    key: string,
    signal: AbortSignal | undefined,
    body?: Uint8Array,
  ): Promise<Response> {
    const url = `${apiUrl}/api/host/blobs/${requireKey(key)}`;
    const endsAt = Date.now() + RETRY_WITHIN_MS;
    for (;;) {
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(new Error(`no answer within ${REQUEST_MS} ms`)), REQUEST_MS);
      const limits = [late.signal, ...(signal ? [signal] : [])];
      const answer = await fetch(url, {
        method,
        headers: {
          Authorization: `Bearer ${credential}`,
          ...(body ? { 'Content-Type': 'application/octet-stream' } : {}),
        },
        signal: AbortSignal.any(limits),
        redirect: 'error',
        dispatcher,
        ...(body ? { body } : {}),
      }).catch((error: unknown) => {
        signal?.throwIfAborted();
        return error instanceof Error ? error : new Error(String(error));
      });
      clearTimeout(timer);
      if (answer instanceof Response && answer.status < 500) return answer;
      if (Date.now() > endsAt) throw await described(method, key, answer);
      if (answer instanceof Response) await answer.body?.cancel();
      await delay(RETRY_EVERY_MS, undefined, signal ? { signal } : {});
    }
  }

  return {
    async put(key, content, { signal } = {}) {
      // What a host stores are payloads, whole in memory as they are.
      if (!(content instanceof Uint8Array)) throw new Error('a host stores bytes, not streams');
      const answer = await request('PUT', key, signal, content);
      if (!answer.ok) throw await described('PUT', key, answer);
      return { key, sizeBytes: content.length };
    },
    async get(key, { signal } = {}) {
      const answer = await request('GET', key, signal);
      if (answer.status === 404) throw new BlobNotFound(key);
      if (!answer.ok || !answer.body) throw await described('GET', key, answer);
      const content = Readable.fromWeb(answer.body as ReadableStream<Uint8Array>); // the same, by its type in Node
      return { key, sizeBytes: Number(answer.headers.get('content-length')), content };
    },
    async stat(key, { signal } = {}) {
      const answer = await request('HEAD', key, signal);
      if (answer.status === 404) return undefined;
      if (!answer.ok) throw await described('HEAD', key, answer);
      return { key, sizeBytes: Number(answer.headers.get('content-length')) };
    },
  };
}

/** The file is read for each connection: certificates are renewed. */
const trusting =
  (certificate: string): buildConnector.connector =>
  (options, callback) =>
    buildConnector({
      ca: readFileSync(certificate),
      allowPartialTrustChain: true,
      checkServerIdentity: () => undefined,
    })(options, callback);

/** Names the blob and the API's words, and never the credential. */
async function described(method: string, key: string, answer: Response | Error): Promise<Error> {
  if (answer instanceof Error)
    return new Error(`${method} of the blob ${key}: ${answer.message}`, { cause: answer });
  const text = await answer.text().catch(() => '');
  return new Error(`${method} of the blob ${key}: ${answer.status} ${text.slice(0, 300)}`);
}
