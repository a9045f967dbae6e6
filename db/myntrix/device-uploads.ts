import { defineEntity, p } from '@mikro-orm/postgresql';
import { AppError } from '../../domain/errors.ts';
import type { UploadKind } from '../../domain/myntrix/device-uploads.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';

export const DeviceUploadEntity = defineEntity({
  name: 'DeviceUpload',
  tableName: 'device_uploads',
  properties: {
    id: p.uuid().primary(),
    device_id: p.uuid(),
    name: p.text(),
    kind: p.text().$type<UploadKind>(),
    is_whole: p.boolean().default(false),
    size_bytes: p.bigint('number').default(0),
    sha256: p.text().nullable(),
    lines: p.integer().nullable(),
    last_line: p.integer().nullable(),
    owner_id: p.uuid(),
    created_at: p.datetime(3),
  },
});

/** A file that is whole and in the blob store. */
export interface Upload {
  id: string;
  deviceId: string;
  name: string;
  kind: UploadKind;
  sizeBytes: number;
  sha256: string;
  /** Of G-code: those that are sent, and the number of the last of them in the file. */
  lines: number | null;
  lastLine: number | null;
}

export type DeviceUploadRepository = ReturnType<typeof createDeviceUploads>;

/** Files for devices: rows here, their bytes in the blob store. */
export function createDeviceUploads({ em }: Pick<Database, 'em'>) {
  return {
    /** Before the file comes. */
    async announce(upload: { id: string; deviceId: string; ownerId: string }): Promise<void> {
      await em.execute(
        `insert into device_uploads (id, device_id, name, kind, owner_id, created_at)
         values (?, ?, '', 'file', ?, now())`,
        [upload.id, upload.deviceId, upload.ownerId],
      );
    },

    /** Once it is there. */
    async keep({ id, name, kind, sizeBytes, sha256, lines, lastLine }: Upload): Promise<void> {
      await em.execute(
        `update device_uploads set is_whole = true, name = ?, kind = ?, size_bytes = ?, sha256 = ?, lines = ?,
           last_line = ? where id = ?`,
        [name, kind, sizeBytes, sha256, lines, lastLine, id],
      );
    },

    /** Of one that no job has. */
    async forget(id: string): Promise<void> {
      await em.execute(
        'delete from device_uploads u where id = ? and not exists (select 1 from device_jobs j where j.upload_id = u.id)',
        [id],
      );
    },

    /** One that is whole. */
    async find(id: string): Promise<Upload | undefined> {
      const [found] = await rows<Upload>(
        em,
        `select id, device_id as "deviceId", name, kind, size_bytes::float8 as "sizeBytes", sha256, lines,
           last_line as "lastLine"
         from device_uploads where id = ? and is_whole`,
        [id],
      );
      return found;
    },

    /** Whether a host has a job with this file that is not over. */
    async isFor(host: string, uploadId: string): Promise<boolean> {
      const [found] = await rows<{ is: boolean }>(
        em,
        `select exists (select 1 from device_jobs where upload_id = ? and host = ?
           and state in ('running', 'lost', 'held', 'aborting')) as is`,
        [uploadId, host],
      );
      return found?.is === true;
    },
  };
}

/**
 * A program goes on at a line that it has.
 * @throws AppError `invalid` for one beyond its end
 */
export async function refuseBeyondEnd(tx: Sql, jobId: string, fromLine: number): Promise<void> {
  const [upload] = await rows<{ last: number | null }>(
    tx,
    `select u.last_line as last from device_jobs d join device_uploads u on u.id = d.upload_id where d.id = ?`,
    [jobId],
  );
  const last = upload?.last ?? Number.POSITIVE_INFINITY; // of earlier versions: its host reads the file
  if (fromLine <= last) return;
  const message = `is ${fromLine}, and the last line that can be sent is ${last}`;
  throw new AppError('invalid', `The program cannot go on: fromLine ${message}.`, {
    errors: [{ path: '/fromLine', message }],
  });
}

/** Of those that one pass of retention deletes. */
const PIECE = 100;

/**
 * Deletes uploads that no job has any more, and those that never became whole, with their files.
 * @param days since the upload; 0 keeps what became whole
 */
export async function pruneDeviceUploads(
  tx: Sql,
  days: number,
  removeBlob: (uploadId: string) => Promise<void>,
): Promise<{ rows: number; more: boolean }> {
  const due = await rows<{ id: string }>(
    tx,
    `select u.id from device_uploads u
     where not exists (select 1 from device_jobs j where j.upload_id = u.id)
       and u.created_at < now() - interval '1 day'
       and (not u.is_whole or (?::int > 0 and u.created_at < now() - make_interval(days => ?::int)))
     order by u.created_at limit ${PIECE} for update skip locked`,
    [days, days],
  );
  for (const { id } of due) {
    await removeBlob(id);
    await tx.execute('delete from device_uploads where id = ?', [id]);
  }
  return { rows: due.length, more: due.length === PIECE };
}
