import type { StoredEvent } from '../../domain/events.ts';
import {
  type DeviceJobEnd,
  type DeviceJobLook,
  type DeviceJobOrder,
  type DeviceJobProgress,
  type DeviceJobReport,
  type DeviceJobState,
  type DeviceJobType,
  type DeviceJobWanted,
  type DeviceJobWork,
  OUTPUT_LIMIT_BYTES,
} from '../../domain/myntrix/device-jobs.ts';
import type { DeviceConfiguration } from '../../domain/myntrix/devices.ts';
import type { Json } from '../../domain/wire.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import { appendEvents, type NewEvent } from '../system/events.ts';
import { deviceJobEvent } from './device-job-events.ts';
import { isActive } from './device-jobs.ts';

/** What the workflow of a device's jobs has to do now. */
export interface DeviceJobTask {
  /** `follow`: have the host do it, or go on with it; `look`: ask what became of it; `wait`: for a person. */
  next: 'follow' | 'look' | 'wait' | 'abort';
  host: string;
  /** A host that was deleted never answers. */
  hostIsKnown: boolean;
  epoch: number;
  order: DeviceJobOrder;
}

interface Row {
  id: string;
  state: DeviceJobState;
  attempt: number;
  wanted: DeviceJobWanted;
  epoch: string;
  work: DeviceJobWork;
  host: string | null;
  hostIsKnown: boolean;
  configuration: DeviceConfiguration | null;
  connectionString: string | null;
  uploadId: string;
  name: string;
  sizeBytes: number;
  sha256: string;
}

interface Current {
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

const nextOf = { running: 'follow', lost: 'look', held: 'wait', aborting: 'abort' } as const;

export type DeviceJobReportStore = ReturnType<typeof createDeviceJobReports>;

/** The workers' side of devices' jobs: what their workflow and the hosts say of them. */
export function createDeviceJobReports({ em }: Pick<Database, 'em'>) {
  async function current(tx: Sql, id: string, attempt: number): Promise<Current | undefined> {
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
  async function write(
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

  return {
    /**
     * What is to be done for a device now: its job that is under way, or the first of those that wait, which begins by
     * this. Null when there is none.
     */
    take: (deviceId: string): Promise<{ task: DeviceJobTask | null; events: StoredEvent[] }> =>
      em.fork().transactional(async (tx) => {
        const isThere = (
          await rows(tx, 'select 1 from devices where id = ? and removed_at is null', [deviceId])
        ).length;
        const events: NewEvent[] = isThere ? [] : await dropAll(tx, deviceId);
        if (isThere) events.push(...(await begin(tx, deviceId)));
        const [row] = await rows<Row>(
          tx,
          `update device_jobs d set taken = epoch
           from device_uploads u where u.id = d.upload_id and d.device_id = ? and d.${isActive}
           returning d.id, d.state, d.attempt, d.wanted, d.epoch, d.work, d.host,
             exists (select 1 from hosts h where h.name = d.host) as "hostIsKnown",
             (select configuration from devices where id = d.device_id) as configuration,
             (select connection_string from devices where id = d.device_id) as "connectionString",
             u.id as "uploadId", u.name, u.size_bytes::float8 as "sizeBytes", u.sha256`,
          [deviceId],
        );
        const stored = await appendEvents(tx, events);
        return { task: row ? taskOf(deviceId, row) : null, events: stored };
      }),

    /** The newest that people want of a job that is under way; from now on its workflow knows of it. */
    async wanted(id: string): Promise<{ wanted: DeviceJobWanted; epoch: number } | undefined> {
      const [found] = await rows<{ wanted: DeviceJobWanted; epoch: string }>(
        em,
        'update device_jobs set taken = epoch where id = ? returning wanted, epoch',
        [id],
      );
      return found && { wanted: found.wanted, epoch: Number(found.epoch) };
    },

    /** How an attempt ended; what is of another one, or of a job that has ended, changes nothing. */
    settle: (id: string, attempt: number, end: DeviceJobEnd): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const job = await current(tx, id, attempt);
        if (!job) return [];
        const progress = percent(job, end.progress);
        const details = { ...counted(end.progress), ...saidOf(end) };
        const to =
          end.kind === 'held'
            ? {
                state: job.wanted === 'cancel' ? ('aborting' as const) : ('held' as const),
                status: 'waiting',
                progress,
                details,
              }
            : {
                state: end.kind,
                status: end.kind,
                progress: end.kind === 'completed' ? 100 : progress,
                details,
              };
        const news = await write(tx, job, to);
        if (end.kind !== 'held' && end.output !== undefined)
          await appendOutput(tx, job, { offset: 0, text: end.output });
        return appendEvents(tx, news);
      }),

    /** Its host does not answer any more: what it has done since is not known. */
    lose: (id: string, attempt: number, reason: string): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const job = await current(tx, id, attempt);
        if (job?.state !== 'running') return [];
        const { progress } = job;
        return appendEvents(
          tx,
          await write(tx, job, { state: 'lost', status: 'waiting', progress, details: { reason } }),
        );
      }),

    /** What its host says of it after all. */
    async found(id: string, attempt: number, look: DeviceJobLook): Promise<StoredEvent[]> {
      if (look.kind !== 'running' && look.kind !== 'unbegun') return this.settle(id, attempt, look);
      return em.fork().transactional(async (tx) => {
        const job = await current(tx, id, attempt);
        if (job?.state !== 'lost') return [];
        const { progress } = job;
        return appendEvents(
          tx,
          await write(tx, job, { state: 'running', status: 'running', progress, details: { reason: null } }),
        );
      });
    },

    /** Of a host that was deleted nothing more will be known. */
    giveUp: (id: string, attempt: number, reason: string): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const job = await current(tx, id, attempt);
        if (!job) return [];
        const state = job.wanted === 'cancel' ? 'aborting' : 'held';
        const { progress } = job;
        return appendEvents(
          tx,
          await write(tx, job, { state, status: 'waiting', progress, details: { reason } }),
        );
      }),

    /** A job that was cancelled while it waited; `safe` says whether its safe sequence was sent. */
    aborted: (
      id: string,
      attempt: number,
      safe: { sent: boolean; reason?: string },
    ): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const job = await current(tx, id, attempt);
        if (job?.state !== 'aborting') return [];
        const { progress } = job;
        const details = { safe_sequence: safe };
        return appendEvents(
          tx,
          await write(tx, job, { state: 'cancelled', status: 'cancelled', progress, details }),
        );
      }),

    /** Notes how far a host's jobs are. What is of another attempt, or came after something newer, changes nothing. */
    apply: (host: string, reports: readonly DeviceJobReport[]): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const events: NewEvent[] = [];
        for (const report of reports) {
          const [isNews] = await rows(
            tx,
            `update device_jobs set reported_seq = ?::bigint, updated_at = now()
             where id = ? and host = ? and attempt = ? and state = 'running' and reported_seq < ?::bigint returning id`,
            [report.seq, report.id, host, report.attempt, report.seq],
          );
          const job = isNews ? await current(tx, report.id, report.attempt) : undefined;
          if (!job) continue;
          events.push(
            ...(await write(tx, job, {
              state: 'running',
              status: report.activity === 'connecting' ? 'waiting' : report.activity,
              progress: percent(job, report.progress),
              details: { ...counted(report.progress), reason: report.reason ?? null },
            })),
          );
          if (report.output) await appendOutput(tx, job, report.output);
        }
        return appendEvents(tx, events);
      }),

    /** Devices whose workflow may not know of what there is to do. */
    open: (olderThanMs: number): Promise<{ deviceId: string; isUnheard: boolean }[]> =>
      rows(
        em,
        `select d.device_id as "deviceId", bool_or(d.taken < d.epoch) or not bool_or(d.${isActive}) as "isUnheard"
         from device_jobs d where d.state not in ('completed', 'failed', 'cancelled')
         group by d.device_id having min(d.updated_at) < now() - make_interval(secs => ?) limit 1000`,
        [olderThanMs / 1_000],
      ),
  };
}

/** Begins the first of those that wait, when none is under way. */
async function begin(tx: Sql, deviceId: string): Promise<NewEvent[]> {
  const [next] = await rows<{ id: string; type: DeviceJobType }>(
    tx,
    `update device_jobs d set state = 'running', attempt = 1, updated_at = now(), taken = epoch,
       host = (select host from devices where id = d.device_id)
     from jobs j where j.id = d.id and d.id = (
       select id from device_jobs where device_id = ? and state = 'queued' order by place, id limit 1 for update)
       and not exists (select 1 from device_jobs a where a.device_id = ? and a.${isActive})
     returning d.id, j.type`,
    [deviceId, deviceId],
  );
  if (!next) return [];
  await tx.execute(
    `update jobs set status = 'running', started_at = now(), updated_at = now(),
       details = details || jsonb_build_object('host', (select host from device_jobs d where d.id = jobs.id))
     where id = ?`,
    [next.id],
  );
  return [deviceJobEvent({ ...next, deviceId, status: 'running', progress: 0 })];
}

/** The device was deleted: what waits is cancelled, and what is under way is to end. */
async function dropAll(tx: Sql, deviceId: string): Promise<NewEvent[]> {
  await tx.execute(
    `update device_jobs set wanted = 'cancel', epoch = epoch + 1,
       state = case when state = 'held' then 'aborting' else state end, updated_at = now()
     where device_id = ? and ${isActive} and wanted <> 'cancel'`,
    [deviceId],
  );
  const dropped = await rows<{ id: string; type: DeviceJobType }>(
    tx,
    `with gone as (
       update device_jobs set state = 'cancelled', updated_at = now()
       where device_id = ? and state = 'queued' returning id)
     update jobs j set status = 'cancelled', ended_at = now(), updated_at = now(),
       details = details || '{"reason": "the device was deleted"}'
     from gone where j.id = gone.id returning j.id, j.type`,
    [deviceId],
  );
  return dropped.map((job) => deviceJobEvent({ ...job, deviceId, status: 'cancelled', progress: 0 }));
}

function taskOf(deviceId: string, row: Row): DeviceJobTask {
  const { id, attempt, wanted, work, uploadId, name, sizeBytes, sha256 } = row;
  const { pauseSequence, resumeSequence, cancelSequence } = row.configuration?.gcode ?? {};
  return {
    next: nextOf[row.state as keyof typeof nextOf], // it is active
    host: row.host ?? '',
    hostIsKnown: row.hostIsKnown,
    epoch: Number(row.epoch),
    order: {
      id,
      deviceId,
      connectionString: row.connectionString ?? '',
      defaultPort: row.configuration?.port ?? null,
      attempt,
      wanted,
      work,
      file: { uploadId, name, sizeBytes, sha256 },
      sequences: {
        pause: pauseSequence ?? null,
        resume: resumeSequence ?? null,
        cancel: cancelSequence ?? null,
      },
    },
  };
}

const percent = ({ sizeBytes, progress }: Current, { acknowledgedBytes }: DeviceJobProgress): number =>
  sizeBytes === 0 ? progress : Math.round(Math.min(1, acknowledgedBytes / sizeBytes) * 10_000) / 100;

const counted = (progress: DeviceJobProgress) => ({
  acknowledged_line: progress.acknowledgedLine,
  acknowledged_lines: progress.acknowledgedLines,
  acknowledged_bytes: progress.acknowledgedBytes,
  sent_lines: progress.sentLines,
});

function saidOf(end: DeviceJobEnd): { [name: string]: Json } {
  switch (end.kind) {
    case 'completed':
      return { reason: null, result: end.result };
    case 'held':
      return { reason: end.reason, machine: end.machine };
    case 'cancelled':
      return { reason: end.reason ?? null, ...(end.safe === undefined ? {} : { safe_sequence: end.safe }) };
    default:
      return { reason: end.reason };
  }
}

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
async function appendOutput(tx: Sql, job: Current, { offset, text }: { offset: number; text: string }) {
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
