import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Faults } from './faults.ts';
import type { DeviceRecord } from './record.ts';

interface Upload {
  name: string;
  size: number;
  sha256: string;
  bytes: Buffer;
  isWhole: boolean;
}

const MOST_BYTES = 64 * 2 ** 20;

/**
 * What a device does with files that come in chunks (docs/device-jobs.md): it keeps those whose SHA-256
 * is right, takes no chunk whose CRC-32 is wrong or that is not the next one, and says each time how many bytes it has.
 * `damage` turns a bit of a chunk round before it is looked at.
 */
export function createFiles(faults: Faults, record: DeviceRecord) {
  const uploads = new Map<string, Upload>();
  const no = (error: string, more: object = {}) => ({ ok: false, error, ...more });

  function begin({ id, name, size, sha256 }: Fields): object {
    if (typeof id !== 'string' || typeof name !== 'string' || typeof sha256 !== 'string')
      return no('an upload has id, name, size and sha256');
    if (!(Number(size) >= 0 && Number(size) <= MOST_BYTES)) return no(`no room for ${size} bytes`);
    const known = uploads.get(id);
    if (known?.sha256 === sha256) return { ok: true, offset: known.bytes.length };
    uploads.set(id, { name, size: Number(size), sha256, bytes: Buffer.alloc(0), isWhole: false });
    return { ok: true, offset: 0 };
  }

  function add(upload: Upload, { offset, data, crc32: sum }: Fields): object {
    const bytes = Buffer.from(String(data), 'base64');
    if (faults.strikes('damage') && bytes.length > 0) {
      const at = faults.random(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
    }
    if (crc32(bytes) !== sum) return no('the chunk is damaged', { offset: upload.bytes.length });
    if (offset === upload.bytes.length) upload.bytes = Buffer.concat([upload.bytes, bytes]);
    return { ok: true, offset: upload.bytes.length };
  }

  function finish(upload: Upload): object {
    const sha256 = createHash('sha256').update(upload.bytes).digest('hex');
    if (sha256 !== upload.sha256) return no(`the file has the SHA-256 ${sha256}`);
    if (!upload.isWhole) record.executed(`stored ${upload.name} ${upload.bytes.length} ${sha256}`);
    upload.isWhole = true;
    return { ok: true };
  }

  return {
    /** @returns undefined for a command that is about no file */
    take(command: Record<string, unknown>): object | undefined {
      if (fieldsOf(command.upload)) return begin(command.upload as Fields); // has fields: just asked
      for (const [name, act] of Object.entries({ chunk: add, finish, abort })) {
        const fields = fieldsOf(command[name]);
        if (!fields) continue;
        const upload = uploads.get(String(fields.id));
        return upload ? act(upload, fields) : no(`there is no upload ${fields.id}`);
      }
      return undefined;
    },
  };

  function abort(upload: Upload, { id }: Fields): object {
    uploads.delete(String(id));
    record.executed(`aborted ${upload.name} at ${upload.bytes.length}`);
    return { ok: true };
  }
}

type Fields = Record<string, unknown>;

const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null ? (value as Fields) : undefined; // any keys
