import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceJobOrder } from '../../../domain/myntrix/device-jobs.ts';
import { uploadBlobKey } from '../../../domain/names.ts';
import type { BlobExchange } from '../../storage/port.ts';

/** Where a job's file is in its folder. */
export const fileIn = (folder: string): string => join(folder, 'file');

/**
 * The file of a job in its folder, fetched from the platform unless it is there already.
 * @throws when the platform cannot be reached, has no such file, or sends other bytes than it named
 */
export async function fetchFile(
  folder: string,
  { file }: Pick<DeviceJobOrder, 'file'>,
  blobs: Pick<BlobExchange, 'get'>,
  signal: AbortSignal,
): Promise<string> {
  const path = fileIn(folder);
  if ((await hashOf(path)) === file.sha256) return path;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = join(folder, 'file.new');
  const handle = await open(draft, 'w', 0o600);
  try {
    const { content } = await blobs.get(uploadBlobKey(file.uploadId), { signal });
    const hash = createHash('sha256');
    for await (const piece of content as AsyncIterable<Buffer>) {
      hash.update(piece);
      await handle.writeFile(piece);
    }
    const found = hash.digest('hex');
    if (found !== file.sha256)
      throw new Error(`the file came with the SHA-256 ${found} instead of ${file.sha256}`);
    await handle.sync();
    await rename(draft, path);
    return path;
  } finally {
    await handle.close();
    await rm(draft, { force: true });
  }
}

async function hashOf(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const piece of createReadStream(path)) hash.update(piece);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return hash.digest('hex');
}
