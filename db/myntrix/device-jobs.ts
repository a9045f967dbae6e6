import { defineEntity, p } from '@mikro-orm/postgresql';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type {
  DeviceJobState,
  DeviceJobType,
  DeviceJobWanted,
  DeviceJobWork,
  QueuedJob,
} from '../../domain/myntrix/device-jobs.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { claimKey, type IdempotencyClaim } from '../system/idempotency.ts';
import { deviceJobEvent } from './device-job-events.ts';
import { createDeviceJobSteering } from './device-job-steering.ts';
import type { Upload } from './device-uploads.ts';

export const DeviceJobEntity = defineEntity({
  name: 'DeviceJob',
  tableName: 'device_jobs',
  properties: {
    id: p.uuid().primary(),
    device_id: p.uuid(),
    upload_id: p.uuid(),
    work: p.json().$type<DeviceJobWork>(),
    state: p.text().$type<DeviceJobState>(),
    /** In the device's queue. */
    place: p.bigint('number'),
    host: p.text().nullable(),
    attempt: p.integer().default(0),
    wanted: p.text().$type<DeviceJobWanted>().default('run'),
    epoch: p.bigint('number').default(0),
    taken: p.bigint('number').default(0),
    reported_seq: p.bigint('number').default(-1),
    output_bytes: p.bigint('number').default(0),
    updated_at: p.datetime(3),
  },
});

export const isActive = "state in ('running', 'lost', 'held', 'aborting')";
const isOpen = "state not in ('completed', 'failed', 'cancelled')";

export interface NewDeviceJob {
  id: string;
  userId: string;
  deviceId: string;
  upload: Upload;
  work: DeviceJobWork;
  idempotency?: IdempotencyClaim | undefined;
}

const typeOf = ({ kind }: DeviceJobWork): DeviceJobType =>
  kind === 'run' ? 'gcode' : kind === 'firmware' ? 'firmware' : 'device_upload';

const saidOf: Record<DeviceJobWork['kind'], string> = {
  run: 'run',
  store: 'store',
  firmware: 'flash',
  file: 'send',
};

export type DeviceJobRepository = ReturnType<typeof createDeviceJobs>;

/** Jobs of devices as people ask for them. Their workflow is told afterwards, or finds out by the reconciler. */
export function createDeviceJobs({ em }: Pick<Database, 'em'>) {
  return {
    /**
     * Puts a job at the end of its device's queue.
     * @returns the id of the job that it is: of the request before, when the key was used for the same
     * @throws AppError `not_found`; `conflict` for firmware while a job is under way; `invalid` for a key of something else
     */
    create: ({
      id,
      userId,
      deviceId,
      upload,
      work,
      idempotency,
    }: NewDeviceJob): Promise<{ id: string; uploadId: string; isNew: boolean; events: StoredEvent[] }> =>
      em.fork().transactional(async (tx) => {
        const [device] = await rows<{ name: string; host: string }>(
          tx,
          'select name, host from devices where id = ? and removed_at is null for update',
          [deviceId],
        );
        if (!device) throw new AppError('not_found', `There is no device ${deviceId}.`);
        const claimed = idempotency ? await claimKey(tx, idempotency) : id;
        const [known] = await rows<{ upload_id: string }>(
          tx,
          'select upload_id from device_jobs where id = ?',
          [claimed],
        );
        if (known || claimed !== id)
          return { id: claimed, uploadId: known?.upload_id ?? upload.id, isNew: false, events: [] };
        if (work.kind === 'firmware')
          await refuseWhileBusy(tx, deviceId, device.name, 'firmware is not written meanwhile');
        const type = typeOf(work);
        const details = {
          device_id: deviceId,
          device: device.name,
          host: device.host,
          upload_id: upload.id,
          file: upload.name,
          kind: upload.kind,
          work: work.kind,
          size_bytes: upload.sizeBytes,
          sha256: upload.sha256,
          lines: upload.lines,
          last_line: upload.lastLine,
        };
        await tx.execute(
          `insert into jobs (id, type, name, owner_id, status, details, created_at, updated_at)
           values (?, ?, ?, ?, 'pending', ?::jsonb, now(), now())`,
          [id, type, `${saidOf[work.kind]} ${upload.name} on ${device.name}`, userId, json(details)],
        );
        await tx.execute(
          `insert into device_jobs (id, device_id, upload_id, work, state, place, updated_at)
           values (?, ?, ?, ?::jsonb, 'queued',
             (select coalesce(max(place), 0) + 1 from device_jobs where device_id = ? and ${isOpen}), now())`,
          [id, deviceId, upload.id, json(work), deviceId],
        );
        const event = deviceJobEvent({ id, deviceId, type, status: 'pending', progress: 0 });
        return { id, uploadId: upload.id, isNew: true, events: await appendEvents(tx, [event]) };
      }),

    /** Jobs that are under way or wait, in their order. */
    queue: (deviceId: string): Promise<QueuedJob[]> =>
      rows(
        em,
        `select d.id, j.name, j.type, d.state, round(j.progress::numeric, 1)::float8 as progress, j.details
         from device_jobs d join jobs j on j.id = d.id where d.device_id = ? and d.${isOpen}
         order by (d.state = 'queued'), d.place, d.id limit 1000`,
        [deviceId],
      ),

    /** @throws AppError `invalid` for a job that does not wait there */
    reorder: (deviceId: string, order: readonly string[]): Promise<void> =>
      em.fork().transactional(async (tx) => {
        const queued = await rows<{ id: string }>(
          tx,
          "select id from device_jobs where device_id = ? and state = 'queued' order by place, id for update",
          [deviceId],
        );
        const waiting = new Set(queued.map(({ id }) => id));
        const strange = order.findIndex((id) => !waiting.has(id));
        if (strange >= 0) {
          const message = `is no job that waits for device ${deviceId}`;
          throw new AppError('invalid', `${order[strange]} ${message}.`, {
            errors: [{ path: `/order/${strange}`, message }],
          });
        }
        const named = new Set(order);
        const ids = [...order, ...queued.map(({ id }) => id).filter((id) => !named.has(id))];
        await tx.execute(
          `update device_jobs d set place = x.place, updated_at = now()
           from unnest(?::uuid[]) with ordinality as x(id, place) where d.id = x.id`,
          [`{${ids.join()}}`],
        );
      }),

    ...createDeviceJobSteering({ em }),
  };
}

/** @throws AppError `conflict` while a job of a device is under way; `why` says what cannot be done then */
export async function refuseWhileBusy(tx: Sql, deviceId: string, name: string, why: string): Promise<void> {
  const [busy] = await rows<{ id: string; name: string }>(
    tx,
    `select j.id, j.name from device_jobs d join jobs j on j.id = d.id where d.device_id = ? and d.${isActive}`,
    [deviceId],
  );
  if (busy)
    throw new AppError(
      'conflict',
      `The device "${name}" is busy with job ${busy.id} (${busy.name}): ${why}.`,
    );
}
