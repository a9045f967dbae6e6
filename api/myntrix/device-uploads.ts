import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { DeviceJobRepository } from '../../db/myntrix/device-jobs.ts';
import type { DeviceUploadRepository, Upload } from '../../db/myntrix/device-uploads.ts';
import type { DeviceRepository } from '../../db/myntrix/devices.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import { kindOfName, plainName, UploadFields, UploadStarted } from '../../domain/myntrix/device-uploads.ts';
import { type UploadForm, workOf } from '../../domain/myntrix/upload-work.ts';
import { uploadBlobKey } from '../../domain/names.ts';
import { IdParams } from '../../domain/wire.ts';
import { createGcodeReader } from '../../drivers/devices/gcode/lines.ts';
import type { GcodeLine } from '../../drivers/devices/gcode/port.ts';
import type { BlobStore } from '../../drivers/storage/port.ts';
import type { Logger } from '../../logs.ts';
import { readMultipart } from '../http/multipart.ts';
import { accepted, type RequestInfo, type Route, route } from '../http/route.ts';
import type { Temporal } from '../temporal/client.ts';
import { createUploadForm } from './device-upload-form.ts';

export interface DeviceUploadDeps {
  devices: Pick<DeviceRepository, 'get'>;
  uploads: DeviceUploadRepository;
  jobs: Pick<DeviceJobRepository, 'create'>;
  blobs: Pick<BlobStore, 'put' | 'delete'>;
  temporal: Temporal;
  /** Wakes the workflow of the device's jobs. */
  tell(deviceId: string): Promise<void>;
  publish(events: readonly StoredEvent[]): void;
  limitBytes: number;
  log: Logger;
}

/** The lines that are sent, and the number of the last of them in the file. */
interface GcodeCount {
  lines: number;
  lastLine: number;
}

/** What was found out about a file while it came. */
interface Metered {
  sizeBytes: number;
  sha256: string;
  /** Of G-code; or why it is none. */
  gcode: GcodeCount | { problem: AppError };
}

/** Takes files for devices in, and queues what is to be done with them. */
export function createDeviceUploadRoutes(deps: DeviceUploadDeps): Route[] {
  const { devices, uploads, jobs, blobs, temporal, limitBytes, log } = deps;
  const uploadForm = createUploadForm();

  /** Keeps the file whole, or nothing of it. */
  async function receive(
    user: Principal,
    deviceId: string,
    request: RequestInfo,
  ): Promise<{ upload: Upload; form: UploadForm }> {
    const id = uuidv7();
    const key = uploadBlobKey(id);
    await uploads.announce({ id, deviceId, ownerId: user.userId });
    try {
      const { fields, taken } = await readMultipart(request, limitBytes, async ({ name, content }) => {
        const meter = createMeter();
        await blobs.put(key, meter.pass(content), { signal: request.signal });
        return { name: plainName(name), ...meter.result() };
      });
      const form = uploadForm(fields);
      const { name, sizeBytes, sha256, gcode } = taken;
      const kind = form.kind ?? kindOfName(name);
      if (kind === 'gcode' && 'problem' in gcode) throw gcode.problem;
      if (kind === 'firmware' && sizeBytes === 0) throw new AppError('invalid', `${name} is empty.`);
      const counted =
        kind === 'gcode' && 'lines' in gcode ? gcode : { lines: null as number | null, lastLine: null };
      const upload = { id, deviceId, name, kind, sizeBytes, sha256, ...counted };
      await uploads.keep(upload);
      return { upload, form };
    } catch (error) {
      await discard(id);
      throw error;
    }
  }

  /** What is not discarded now is found by retention. */
  async function discard(id: string): Promise<void> {
    try {
      await blobs.delete(uploadBlobKey(id));
      await uploads.forget(id);
    } catch (error) {
      log.warn({ err: error, uploadId: id }, 'an upload that nobody wants is removed later');
    }
  }

  return [
    route({
      method: 'POST',
      path: '/api/myntrix/devices/{id}/upload',
      access: 'myntrix:devices:execute',
      summary: 'Send a file to a device',
      description: `A form with the field \`file\`, and beside it \`kind\` (else the name’s extension says it), \`run\` and \`options\` (JSON).
G-code is checked, and then run (\`run=true\`) or stored on the device’s card; firmware is written by a flasher of the device’s host; any other file is sent in acknowledged chunks. Jobs of a device are done one after the other.`,
      params: IdParams,
      binaryBody: {
        limitBytes,
        types: {
          'multipart/form-data': {
            schema: uploadFormSchema,
            example: { file: 'G28\nG1 X10 F3000\n', kind: 'gcode', run: 'true' },
          },
        },
      },
      headers: { 'Idempotency-Key': 'a repeat within 24 h answers the same job' },
      errors: ['conflict', 'too_large', 'unsupported_media_type', 'request_timeout'],
      answers: { 202: { description: 'the job that says what becomes of it', schema: UploadStarted } },
      async handler({ user, params, request }) {
        const device = await devices.get(params.id);
        const key = idempotencyKey(request);
        await temporal.ensureUp();
        const { upload, form } = await receive(user, device.id, request);
        const id = uuidv7();
        const created = await Promise.resolve()
          .then(() => {
            const work = workOf(upload, form, device.configuration.firmware);
            return jobs.create({
              ...{ id, userId: user.userId, deviceId: device.id, upload, work },
              idempotency: key === '' ? undefined : claimOf(user, device.id, { key, upload, form, id }),
            });
          })
          .catch(async (error: unknown) => {
            await discard(upload.id);
            throw error;
          });
        if (!created.isNew) await discard(upload.id);
        deps.publish(created.events);
        await deps.tell(device.id);
        const { sha256, sizeBytes } = upload;
        const upload_id = created.uploadId;
        return accepted(
          { job_id: created.id, upload_id, sha256, size_bytes: sizeBytes },
          `/api/myntrix/jobs/${created.id}`,
        );
      },
    }),
  ];
}

const { properties } = UploadFields;
const uploadFormSchema = {
  ...UploadFields,
  required: ['file'],
  properties: { file: { type: 'string', format: 'binary' }, ...properties },
};

function idempotencyKey(request: RequestInfo): string {
  const key = request.header('Idempotency-Key');
  if (key.length <= 200) return key;
  throw new AppError('invalid', `The Idempotency-Key has ${key.length} characters; 200 is the limit.`);
}

function claimOf(
  user: Principal,
  deviceId: string,
  { key, upload, form, id }: { key: string; upload: Upload; form: UploadForm; id: string },
) {
  const { name, kind, sha256 } = upload;
  const body = JSON.stringify({ name, kind, sha256, run: form.run, options: form.options });
  const bodyHash = createHash('sha256').update(body).digest('hex');
  return { userId: user.userId, route: `upload ${deviceId}`, key, bodyHash, jobId: id };
}

/** Hashes, counts and reads a file as G-code while it passes. */
function createMeter() {
  const hash = createHash('sha256');
  const reader = createGcodeReader();
  let sizeBytes = 0;
  let lines = 0;
  let lastLine = 0;
  let problem: AppError | undefined;
  const read = (more: () => readonly GcodeLine[]): void => {
    if (problem) return;
    try {
      const found = more();
      lines += found.length;
      lastLine = found.at(-1)?.sourceLine ?? lastLine;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      problem = error;
    }
  };
  return {
    async *pass(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const piece of content) {
        sizeBytes += piece.length;
        hash.update(piece);
        read(() => reader.push(piece));
        yield piece;
      }
      read(() => reader.end());
      if (!problem && lines === 0)
        problem = new AppError(
          'invalid',
          'The G-code has no line that could be sent: all are empty or comments.',
        );
    },
    result: (): Metered => ({
      sizeBytes,
      sha256: hash.digest('hex'),
      gcode: problem ? { problem } : { lines, lastLine },
    }),
  };
}
