import { Readable } from 'node:stream';
import { Type } from 'typebox';
import type { DeviceUploadRepository } from '../../db/myntrix/device-uploads.ts';
import { AppError } from '../../domain/errors.ts';
import { uploadBlobKey } from '../../domain/names.ts';
import { Id } from '../../domain/wire.ts';
import { BlobNotFound, type BlobStore } from '../../drivers/storage/port.ts';
import { type Route, route } from '../http/route.ts';

const BYTES = 'application/octet-stream';

export interface HostUploadDeps {
  blobs: Pick<BlobStore, 'get' | 'stat'>;
  uploads: Pick<DeviceUploadRepository, 'isFor'>;
}

/** Files for devices, to the host that has a job with them. */
export const createHostUploadRoutes = ({ blobs, uploads }: HostUploadDeps): Route[] => [
  route({
    method: 'GET',
    path: '/api/host/blobs/uploads/{upload_id}',
    access: 'host',
    summary: 'Read a file that was uploaded for a device, as a worker host',
    description: 'For a host that has an open job with it. HEAD gives the size alone.',
    params: Type.Object({ upload_id: Id }),
    errors: ['forbidden'],
    answers: { 200: { description: 'the bytes', type: BYTES } },
    async handler({ host, params: { upload_id }, request }) {
      if (!(await uploads.isFor(host, upload_id)))
        throw new AppError('forbidden', `Host ${host} has no open job with the upload ${upload_id}.`);
      const key = uploadBlobKey(upload_id);
      const found =
        request.method === 'HEAD'
          ? await blobs.stat(key)
          : await blobs.get(key, { signal: request.signal }).catch((error: unknown) => {
              if (error instanceof BlobNotFound) return undefined;
              throw error;
            });
      if (!found) throw new AppError('not_found', `There is no file of the upload ${upload_id}.`);
      return {
        status: 200,
        headers: { 'Content-Type': BYTES, 'Content-Length': String(found.sizeBytes) },
        // An empty stream lets Content-Length say the size of what HEAD does not send.
        body: 'content' in found ? found.content : Readable.from([]),
      };
    },
  }),
];
