import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Client } from '@temporalio/client';
import { AppError } from '../../domain/errors.ts';
import { hostQueue, runBlobKey } from '../../domain/names.ts';
import { BlobParams, HOST_BLOB_LIMIT_BYTES } from '../../domain/system/payloads.ts';
import { BlobNotFound, type BlobStore } from '../../drivers/storage/port.ts';
import { noContent, type RequestInfo, type Route, route } from '../http/route.ts';

const PATH = '/api/host/blobs/runs/{workflow_id}/{sha256}';
const BYTES = 'application/octet-stream';

export interface HostBlobDeps {
  blobs: Pick<BlobStore, 'get' | 'put' | 'stat'>;
  hasOpenStep(host: string, workflowId: string): Promise<boolean>;
}

/**
 * Large values of the runs that a worker host has a step of: it has no storage of its own. A blob's name is its
 * SHA-256, so that none can be put in place of another.
 */
export function createHostBlobRoutes({ blobs, hasOpenStep }: HostBlobDeps): Route[] {
  /** @returns the key that the host may use. @throws AppError `forbidden` */
  async function admitted(host: string, params: { workflow_id: string; sha256: string }): Promise<string> {
    if (!(await hasOpenStep(host, params.workflow_id)))
      throw new AppError('forbidden', `Host ${host} has no open step of ${params.workflow_id}.`);
    return runBlobKey(params.workflow_id, params.sha256);
  }

  return [
    route({
      method: 'GET',
      path: PATH,
      access: 'host',
      summary: 'Read a large value, as a worker host',
      description: 'For a host that has an open step of the run. HEAD gives the size alone.',
      params: BlobParams,
      errors: ['forbidden'],
      answers: { 200: { description: 'the bytes', type: BYTES } },
      async handler({ host, params, request }) {
        const key = await admitted(host, params);
        const found = request.method === 'HEAD' ? await blobs.stat(key) : await opened(blobs, key, request);
        if (!found) throw new AppError('not_found', `There is no blob ${key}.`);
        return {
          status: 200,
          headers: { 'Content-Type': BYTES, 'Content-Length': String(found.sizeBytes) },
          // An empty stream lets Content-Length say the size of what HEAD does not send.
          body: 'content' in found ? found.content : Readable.from([]),
        };
      },
    }),
    route({
      method: 'PUT',
      path: PATH,
      access: 'host',
      summary: 'Keep a large value, as a worker host',
      description: 'For a host that has an open step of the run.',
      params: BlobParams,
      binaryBody: { limitBytes: HOST_BLOB_LIMIT_BYTES },
      audit: false,
      errors: ['forbidden'],
      answers: { 204: { description: 'it is kept' } },
      async handler({ host, params, request }) {
        const key = await admitted(host, params);
        await blobs.put(key, checked(request.stream, params.sha256), { signal: request.signal });
        return noContent();
      },
    }),
  ];
}

async function opened(blobs: HostBlobDeps['blobs'], key: string, request: RequestInfo) {
  try {
    return await blobs.get(key, { signal: request.signal });
  } catch (error) {
    if (error instanceof BlobNotFound) return undefined;
    throw error;
  }
}

/** @throws AppError `too_large`, or `invalid` when the bytes are not what they are named after. */
async function* checked(content: Readable, sha256: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of content as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > HOST_BLOB_LIMIT_BYTES)
      throw new AppError('too_large', `A blob has at most ${HOST_BLOB_LIMIT_BYTES} bytes.`);
    hash.update(piece);
    yield piece;
  }
  const found = hash.digest('hex');
  if (found !== sha256) throw new AppError('invalid', `The SHA-256 of the body is ${found}, not ${sha256}.`);
}

const NOT_FOUND = 5;
const ANSWER_WITHIN_MS = 5_000;

/** Whether a workflow has an activity on a host's task queue that is not over: Temporal knows it before any row. */
export const createOpenSteps =
  (client: Client): HostBlobDeps['hasOpenStep'] =>
  async (host, workflowId) => {
    try {
      const { pendingActivities } = await client.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
        client.workflowService.describeWorkflowExecution({
          namespace: client.options.namespace,
          execution: { workflowId },
        }),
      );
      return (pendingActivities ?? []).some(
        ({ activityOptions }) => activityOptions?.taskQueue?.name === hostQueue(host),
      );
    } catch (error) {
      if ((error as { code?: unknown }).code === NOT_FOUND) return false;
      throw error;
    }
  };
