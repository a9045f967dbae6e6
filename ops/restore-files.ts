import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config } from '../config.ts';
import { openStorage } from '../drivers/storage/open.ts';
import type { BlobStore } from '../drivers/storage/port.ts';
import { MANIFEST } from './archive/manifest.ts';
import { readArchive } from './archive/read.ts';
import type { KeysToOpen } from './archive/sealing.ts';
import { tableOf } from './database/copy-out.ts';
import { targetOf } from './restore-places.ts';
import { TEMPORAL_FILE } from './temporal-store.ts';

export interface FilesOptions {
  config: Config;
  file: string;
  keys: KeysToOpen;
  /** Paths in the archive of what is where it goes already. */
  there: ReadonlySet<string>;
  signal: AbortSignal;
}

/** Everything but the rows. The keys are among it: the database is made with the password in them. */
export async function restoreFiles({ config, file, keys, there, signal }: FilesOptions): Promise<void> {
  let blobs: BlobStore | undefined;
  try {
    for await (const { path, content } of readArchive(file, keys)) {
      signal.throwIfAborted();
      const isElsewhere = path === TEMPORAL_FILE && config.TEMPORAL_ADDRESS !== undefined;
      if (path === MANIFEST || isElsewhere || there.has(path) || tableOf(path) !== undefined) {
        await drain(content);
        continue;
      }
      const target = targetOf(path, config);
      if ('file' in target) await write(target.file, content);
      // What a crash left half written in the storage's folder is in backups of earlier versions.
      else if (target.blob.startsWith('.')) await drain(content);
      else {
        blobs ??= await openStorage(config);
        await blobs.put(target.blob, content, { signal });
      }
    }
  } finally {
    blobs?.close();
  }
}

export async function drain(content: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of content);
}

async function write(target: string, content: AsyncIterable<Buffer>): Promise<void> {
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  const handle = await open(target, 'wx', 0o600);
  try {
    for await (const bytes of content) await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
