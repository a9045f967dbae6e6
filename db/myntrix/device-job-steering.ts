import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import type {
  Decision,
  DeviceJobState,
  DeviceJobType,
  DeviceJobWanted,
} from '../../domain/myntrix/device-jobs.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { deviceJobEvent } from './device-job-events.ts';
import { refuseBeyondEnd } from './device-uploads.ts';

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

/** What people want of a job that they have asked for. */
export function createDeviceJobSteering({ em }: Pick<Database, 'em'>) {
  return {
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

    /** @throws AppError `not_found`; `conflict` for a job that does not wait for a decision; `invalid` beyond its end */
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
}

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
  await tx.execute('update device_jobs set wanted = ?, epoch = epoch + 1, updated_at = now() where id = ?', [
    wanted,
    id,
  ]);
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

function abort(tx: Sql, id: string, row: Row): Promise<Steered> {
  return become(tx, id, row, {
    state: 'aborting',
    status: 'waiting',
    details: {},
    set: ", wanted = 'cancel'",
  });
}
