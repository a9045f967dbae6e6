import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CancelledFailure } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { Static } from 'typebox';
import { createDeviceJobSteps } from '../../../db/myntrix/device-job-steps.ts';
import { createDeviceJobs } from '../../../db/myntrix/device-jobs.ts';
import { createDeviceSteps } from '../../../db/myntrix/device-steps.ts';
import { createDeviceUploads, type Upload } from '../../../db/myntrix/device-uploads.ts';
import type { Database } from '../../../db/orm.ts';
import { AppError } from '../../../domain/errors.ts';
import { kindOfName, plainName, type UploadKind } from '../../../domain/myntrix/device-uploads.ts';
import { workOf } from '../../../domain/myntrix/upload-work.ts';
import { uploadBlobKey } from '../../../domain/names.ts';
import type { ProblemKind } from '../../../domain/neosyntis/problems.ts';
import type {
  deviceUploadArguments,
  runGcodeArguments,
} from '../../../domain/neosyntis/verbs/device-jobs.ts';
import type { Json } from '../../../domain/wire.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';
import { createGcodeReader } from '../../../drivers/devices/gcode/lines.ts';
import { tellDeviceJobs } from '../../../drivers/devices/jobs/tell.ts';
import type { BlobStore } from '../../../drivers/storage/port.ts';
import { derivedId } from '../neosyntis/derived-id.ts';
import { beating } from '../neosyntis/outbound/beating.ts';
import { verbFailure } from '../neosyntis/outbound/failures.ts';
import type { VerbCall, VerbImplementation } from '../neosyntis/verbs.ts';

const LOOK_FIRST_MS = 50;
const LOOK_EVERY_MS = 1_000;

export interface DeviceJobVerbDeps {
  database: Database;
  bus: Bus;
  client: Client;
  blobs: Pick<BlobStore, 'put'>;
}

interface Asked {
  device: string;
  run: boolean;
  /** What is sent: bytes, or what was uploaded before. */
  content: Buffer | { upload: string };
  name: string | undefined;
  kind: UploadKind | undefined;
  options: NonNullable<Static<typeof deviceUploadArguments>['options']>;
}

/** `device.run_gcode` and `device.upload`, by the owner of the run: a job as the API gives it, waited for. */
export function createDeviceJobVerbs(deps: DeviceJobVerbDeps): Record<string, VerbImplementation> {
  const { database, client } = deps;
  const steps = createDeviceSteps(database);
  const uploads = createDeviceUploads(database);
  const jobs = createDeviceJobs(database);
  const { look, flasherOf } = createDeviceJobSteps(database);
  const publish = createNews(deps.bus).events;

  /** A device by id or name, as the owner of the run may use it now. */
  async function admitted(runId: string, device: string) {
    const [one, ...others] = await steps.find(device);
    if (!one) throw refused('configuration', `There is no device "${device}".`);
    if (others.length > 0)
      throw refused('configuration', `More than one device is named "${device}"; give the id of one.`);
    const orderer = await steps.orderer(runId);
    if (!orderer?.mayOrder) throw refused('authorization', 'The owner of this run may not use devices.');
    return { ...one, userId: orderer.userId };
  }

  /** The file of a step; a repeat finds it. */
  async function uploaded(asked: Asked, id: string, device: { id: string; userId: string }): Promise<Upload> {
    const { content } = asked;
    const known = await uploads.find('upload' in content ? content.upload : id);
    if ('upload' in content) {
      if (!known) throw refused('configuration', `There is no upload ${content.upload}.`);
      return { ...known, kind: asked.kind ?? known.kind };
    }
    if (known) return known;
    const name = plainName(asked.name ?? (asked.run ? 'step.gcode' : 'step'));
    const kind = asked.kind ?? (asked.run ? 'gcode' : kindOfName(name));
    const counted = kind === 'gcode' ? linesOf(content) : { lines: null, lastLine: null };
    await uploads.announce({ id, deviceId: device.id, ownerId: device.userId });
    await deps.blobs.put(uploadBlobKey(id), content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const upload = { id, deviceId: device.id, name, kind, sizeBytes: content.length, sha256, ...counted };
    await uploads.keep(upload);
    return upload;
  }

  async function ended(id: string, until: number, signal: AbortSignal): Promise<Json> {
    for (let pauseMs = LOOK_FIRST_MS; ; pauseMs = Math.min(LOOK_EVERY_MS, pauseMs * 1.5)) {
      const job = await look(id);
      if (!job) throw refused('runtime', `The job ${id} was deleted meanwhile.`);
      if (job.status === 'completed')
        return { job_id: id, device_id: job.deviceId, upload_id: job.uploadId, result: job.result };
      if (job.status === 'failed')
        throw refused('runtime', `Job ${id} failed: ${job.reason ?? 'no reason is known'}.`);
      if (job.status === 'cancelled') throw refused('runtime', `Somebody cancelled job ${id}.`);
      if (performance.now() >= until)
        throw refused(
          'timeout',
          `Job ${id} is ${job.status}${job.reason === null ? '' : ` (${job.reason})`}.`,
        );
      await delay(pauseMs, undefined, { signal });
    }
  }

  async function cancel(id: string): Promise<void> {
    const { deviceId, isNew, events } = await jobs.cancel(id);
    publish(events);
    if (isNew) await tellDeviceJobs(client, deviceId);
  }

  async function carryOut(asked: Asked, call: VerbCall, signal: AbortSignal): Promise<Json> {
    const until = performance.now() + call.timeoutMs;
    const place = `${call.path} ${call.iteration.join('.')} ${call.attempt}`;
    const id = derivedId(call.runId, `${place} job`);
    const device = await admitted(call.runId, asked.device);
    const created = await given(asked, derivedId(call.runId, `${place} upload`), device)
      .then(({ upload, work }) =>
        jobs.create({ id, userId: device.userId, deviceId: device.id, upload, work }),
      )
      .catch((error: unknown) => {
        throw error instanceof AppError
          ? refused(error.code === 'conflict' ? 'runtime' : 'validation', error.message)
          : error;
      });
    publish(created.events);
    if (created.isNew) await tellDeviceJobs(client, device.id);
    try {
      return await ended(id, until, signal);
    } catch (error) {
      // Nobody waits for it any more; a worker that ends is followed by another, which goes on waiting.
      const { reason } = signal;
      const isShutdown = reason instanceof CancelledFailure && reason.message === 'WORKER_SHUTDOWN';
      if ((signal.aborted && !isShutdown) || performance.now() >= until) await cancel(id);
      throw error;
    }
  }

  async function given(asked: Asked, uploadId: string, device: { id: string; userId: string }) {
    const upload = await uploaded(asked, uploadId, device);
    const flasher = await flasherOf(device.id);
    return { upload, work: workOf(upload, { run: asked.run, options: asked.options }, flasher) };
  }

  return {
    'device.run_gcode': (call) => {
      const { device, gcode, upload = '', name } = call.args as Static<typeof runGcodeArguments>; // checked against it
      const content = gcode === undefined ? { upload } : Buffer.from(gcode, 'latin1');
      const asked = { device, run: true, content, name, kind: 'gcode' as const, options: {} };
      return beating((signal) => carryOut(asked, call, signal));
    },
    'device.upload': (call) => {
      const args = call.args as Static<typeof deviceUploadArguments>; // checked against it
      const { device, name, kind, options = {}, upload = '' } = args;
      const bytes = args.content_base64 ?? undefined;
      const text = args.content;
      const content =
        text !== undefined
          ? Buffer.from(text)
          : bytes !== undefined
            ? Buffer.from(bytes, 'base64')
            : { upload };
      const asked = { device, run: false, content, name, kind, options };
      return beating((signal) => carryOut(asked, call, signal));
    },
  };
}

/** @throws AppError `invalid` */
function linesOf(content: Buffer): { lines: number; lastLine: number } {
  const reader = createGcodeReader();
  const lines = [...reader.push(content), ...reader.end()];
  const last = lines.at(-1);
  if (!last) throw new AppError('invalid', 'The G-code has no line that could be sent.');
  return { lines: lines.length, lastLine: last.sourceLine };
}

const refused = (kind: ProblemKind, detail: string) => verbFailure({ kind, detail });
