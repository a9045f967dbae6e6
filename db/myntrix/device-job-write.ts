import {
  type DeviceJobProgress,
  type DeviceJobState,
  type DeviceJobType,
  type DeviceJobWanted,
  OUTPUT_LIMIT_BYTES,
} from '../../domain/myntrix/device-jobs.ts';
import type { Json } from '../../domain/wire.ts';
import type { Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import type { NewEvent } from '../system/events.ts';
import { deviceJobEvent } from './device-job-events.ts';
import { isActive } from './device-jobs.ts';

/** A job that is under way, with its rows locked. */
export interface Current {
  id: string;
  deviceId: string;
  type: DeviceJobType;
  state: DeviceJobState;
  wanted: DeviceJobWanted;
  status: string;
  progress: number;
  sizeBytes: number;
  outputBytes: number;
}

/** Undefined when another attempt, or none, is under way. */
export async function current(tx: Sql, id: string, attempt: number): Promise<Current | undefined> {
  const [found] = await rows<Current>(
    tx,
    `select d.id, d.device_id as "deviceId", j.type, d.state, d.wanted, j.status, j.progress::float8 as progress,
       u.size_bytes::float8 as "sizeBytes", d.output_bytes::float8 as "outputBytes"
     from device_jobs d join jobs j on j.id = d.id join device_uploads u on u.id = d.upload_id
     where d.id = ? and d.attempt = ? and d.${isActive} for update of d, j`,
    [id, attempt],
  );
  return found;
}

/** Writes how a job stands; `details` are added to what it says. */
export async function write(
  tx: Sql,
  job: Current,
  to: { state: DeviceJobState; status: string; progress: number; details: object },
): Promise<NewEvent[]> {
  const isOver = ['completed', 'failed', 'cancelled'].includes(to.status);
  await tx.execute('update device_jobs set state = ?, updated_at = now() where id = ?', [to.state, job.id]);
  await tx.execute(
    `update jobs set status = ?, progress = ?, details = details || ?::jsonb, updated_at = now(),
       started_at = coalesce(started_at, now()), ended_at = case when ? then now() end where id = ?`,
    [to.status, to.progress, json(to.details as Json), isOver, job.id], // made of JSON below
  );
  const { id, deviceId, type } = job;
  const isNews = job.status !== to.status;
  if (!isNews && Math.abs(job.progress - to.progress) < 0.01) return []; // the column is a single
  const { status, progress } = to;
  return [
    deviceJobEvent({ id, deviceId, type, status, progress }, isNews ? status : 'progress', {
      ...shown(to.details),
    }),
  ];
}

/** How much of the file is done, in percent. */
export const percent = (
  { sizeBytes, progress }: Current,
  { acknowledgedBytes }: DeviceJobProgress,
): number =>
  sizeBytes === 0 ? progress : Math.round(Math.min(1, acknowledgedBytes / sizeBytes) * 10_000) / 100;

/** Of what a job says, what goes with its events. */
const shown = (details: {
  acknowledged_line?: number;
  acknowledged_bytes?: number;
  reason?: string | null;
}) => ({
  ...(details.acknowledged_line === undefined ? {} : { acknowledged_line: details.acknowledged_line }),
  ...(details.acknowledged_bytes === undefined ? {} : { acknowledged_bytes: details.acknowledged_bytes }),
  ...(details.reason ? { reason: details.reason } : {}),
});

/** Appends to the job's log what it has not got yet; what lies after a gap comes again with the end. */
export async function appendOutput(
  tx: Sql,
  job: Current,
  { offset, text }: { offset: number; text: string },
) {
  const fresh = Buffer.from(text).subarray(Math.max(0, job.outputBytes - offset));
  if (offset > job.outputBytes || fresh.length === 0 || job.outputBytes >= OUTPUT_LIMIT_BYTES) return;
  await tx.execute('update device_jobs set output_bytes = output_bytes + ?::int where id = ?', [
    fresh.length,
    job.id,
  ]);
  await tx.execute(
    `with counter as (
       update jobs set seq = seq + 1, log_bytes = log_bytes + ?::int where id = ? returning seq, log_bytes - ?::int as start
     )
     insert into job_logs (job_id, seq, start_byte, path, iteration, stream, stream_byte, bytes, text, at, attempt)
     select ?::uuid, seq, start, 'output', '{}', 'log', start, ?::int, ?, now(), 1 from counter`,
    [fresh.length, job.id, fresh.length, job.id, fresh.length, fresh.toString('utf8')],
  );
}
