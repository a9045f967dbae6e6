import type { StoredEvent } from '../../domain/events.ts';
import type { DeviceConfiguration } from '../../domain/myntrix/device-configuration.ts';
import type {
  DeviceJobOrder,
  DeviceJobState,
  DeviceJobType,
  DeviceJobWanted,
  DeviceJobWork,
} from '../../domain/myntrix/device-jobs.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';
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

const nextOf = { running: 'follow', lost: 'look', held: 'wait', aborting: 'abort' } as const;

/** What the workflow of a device's jobs asks for, and who wakes it. */
export function createDeviceJobOrders({ em }: Pick<Database, 'em'>) {
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
        const events: NewEvent[] = isThere ? await begin(tx, deviceId) : [];
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
