import { defineEntity, p } from '@mikro-orm/postgresql';
import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type {
  Decision,
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
import { refuseBeyondEnd, type Upload } from './device-uploads.ts';

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

export interface Steered {
  deviceId: string;
  status: string;
  /** Whether its workflow has to be told. */
  isNew: boolean;
  events: StoredEvent[];
}

interface Row {
  device_id: string;
  type: DeviceJobType;
  state: DeviceJobState;
  wanted: DeviceJobWanted;
  status: string;
  progress: number;
}

export type DeviceJobRepository = ReturnType<typeof createDeviceJobs>;

/** Jobs of devices as people ask for them. Their workflow is told afterwards, or finds out by the reconciler. */
export function createDeviceJobs({ em }: Pick<Database, 'em'>) {
  /** @throws AppError `not_found` */
  async function locked(tx: Sql, id: string): Promise<Row> {
    const [found] = await rows<Row>(
      tx,
      `select d.device_id, j.type, d.state, d.wanted, j.status, j.progress::float8 as progress
       from device_jobs d join jobs j on j.id = d.id where d.id = ? for update`,
      [id],
    );
    if (!found) throw new AppError('not_found', `There is no job ${id} of a device.`);
    return found;
  }

  const unchanged = (row: Row): Steered => ({
    deviceId: row.device_id,
    status: row.status,
    isNew: false,
    events: [],
  });

  const want = async (tx: Sql, id: string, row: Row, wanted: DeviceJobWanted): Promise<Steered> => {
    await tx.execute(
      'update device_jobs set wanted = ?, epoch = epoch + 1, updated_at = now() where id = ?',
      [wanted, id],
    );
    return { deviceId: row.device_id, status: row.status, isNew: true, events: [] };
  };

  /** @param details are added to what the job says */
  async function become(
    tx: Sql,
    id: string,
    row: Row,
    to: { state: DeviceJobState; status: string; details: object; set?: string; params?: unknown[] },
  ): Promise<Steered> {
    await tx.execute(
      `update device_jobs set state = ?, epoch = epoch + 1, updated_at = now() ${to.set ?? ''} where id = ?`,
      [to.state, ...(to.params ?? []), id],
    );
    await tx.execute(
      `update jobs set status = ?, details = details || ?::jsonb, updated_at = now(),
         ended_at = case when ? then now() end where id = ?`,
      [to.status, json(to.details), to.status === 'cancelled', id],
    );
    const { device_id: deviceId, type, progress } = row;
    return {
      deviceId,
      status: to.status,
      isNew: true,
      events: await appendEvents(tx, [deviceJobEvent({ id, deviceId, type, status: to.status, progress })]),
    };
  }

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
        if (work.kind === 'firmware') await refuseWhileBusy(tx, deviceId, device.name);
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

    /** @throws AppError `not_found`; `conflict` for a job that cannot be paused, or go on, now */
    steer: (id: string, wanted: 'pause' | 'run'): Promise<Steered> =>
      em.fork().transactional(async (tx) => {
        const row = await locked(tx, id);
        if (row.state !== 'running')
          throw new AppError(
            'conflict',
            row.state === 'held'
              ? `Job ${id} waits for a decision: POST …/decision.`
              : `Job ${id} is ${row.state}: one that runs can be paused, and then go on.`,
          );
        if (row.type !== 'gcode')
          throw new AppError('conflict', `A job of type "${row.type}" cannot be paused.`);
        if (row.wanted === 'cancel') throw new AppError('conflict', `Job ${id} is being cancelled.`);
        return row.wanted === wanted ? unchanged(row) : want(tx, id, row, wanted);
      }),

    /** A job that has ended stays as it is. @throws AppError `not_found` */
    cancel: (id: string): Promise<Steered> =>
      em.fork().transactional(async (tx) => {
        const row = await locked(tx, id);
        if (row.state === 'queued')
          return become(tx, id, row, { state: 'cancelled', status: 'cancelled', details: {} });
        if (row.state === 'held') return abort(tx, id, row);
        if (row.wanted === 'cancel' || (row.state !== 'running' && row.state !== 'lost'))
          return unchanged(row);
        return want(tx, id, row, 'cancel');
      }),

    /** @throws AppError `not_found`; `conflict` for a job that does not wait for a decision */
    decide: (id: string, decision: Decision, by: string): Promise<Steered> =>
      em.fork().transactional(async (tx) => {
        const row = await locked(tx, id);
        if (row.state === 'lost' && decision.action === 'cancel') return want(tx, id, row, 'cancel');
        if (row.state !== 'held')
          throw new AppError(
            'conflict',
            row.state === 'lost'
              ? `The host of job ${id} does not answer: what it has done is not known yet.`
              : `Job ${id} does not wait for a decision: it is ${row.state}.`,
          );
        if (decision.action === 'cancel') return abort(tx, id, row);
        const { fromLine, restore = [] } = decision;
        await refuseBeyondEnd(tx, id, fromLine);
        const resumed = { from_line: fromLine, restore, by };
        return become(tx, id, row, {
          state: 'running',
          status: 'running',
          details: { resumed, reason: null, machine: null },
          set: `, attempt = attempt + 1, wanted = 'run', reported_seq = -1,
            host = coalesce((select host from devices dv where dv.id = device_id), host),
            work = work || ?::jsonb`,
          params: [json({ fromLine, restore })],
        });
      }),
  };

  function abort(tx: Sql, id: string, row: Row): Promise<Steered> {
    return become(tx, id, row, {
      state: 'aborting',
      status: 'waiting',
      details: {},
      set: ", wanted = 'cancel'",
    });
  }
}

async function refuseWhileBusy(tx: Sql, deviceId: string, name: string): Promise<void> {
  const [busy] = await rows<{ id: string; name: string }>(
    tx,
    `select j.id, j.name from device_jobs d join jobs j on j.id = d.id where d.device_id = ? and d.${isActive}`,
    [deviceId],
  );
  if (busy)
    throw new AppError(
      'conflict',
      `The device "${name}" is busy with job ${busy.id} (${busy.name}): firmware is not written meanwhile.`,
    );
}
