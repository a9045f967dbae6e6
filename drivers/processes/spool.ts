import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from './error-code.ts';
import type { OutputPiece, OutputStream } from './port.ts';
import { wholeCharacters } from './text.ts';

const streams: OutputStream[] = ['stdout', 'stderr'];

/** The output of one process: two files that only grow. */
export interface Spool {
  close(): Promise<void>;
  append(stream: OutputStream, bytes: Buffer): Promise<void>;
}

/** Makes the folder of a process's output, for the host's user alone. @returns nothing when there is one already. */
export async function createSpool(folder: string, id: string): Promise<Spool | undefined> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await mkdir(join(folder, id), { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return undefined;
    throw error;
  }
  const [stdout, stderr] = await Promise.all([
    open(join(folder, id, 'stdout'), 'ax', 0o600),
    open(join(folder, id, 'stderr'), 'ax', 0o600),
  ]);
  const files = { stdout, stderr };
  return {
    append: (stream, bytes) => files[stream].appendFile(bytes),
    close: async () => void (await Promise.all(Object.values(files).map((file) => file.close()))),
  };
}

/** The most that one call of readSpool() reads. */
const READ_LIMIT_BYTES = 1024 * 1024;

export async function readSpool(
  folder: string,
  id: string,
  stream: OutputStream,
  from: number,
  to: number,
): Promise<OutputPiece> {
  const start = Math.max(0, Math.trunc(from));
  const none = { stream, offset: start, bytes: 0, text: '' };
  const wanted = Math.min(Math.trunc(to) - start, READ_LIMIT_BYTES);
  if (!(wanted > 0) || !isSafeId(id)) return none;
  const file = await openIfThere(join(folder, id, stream));
  if (!file) return none;
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(wanted), 0, wanted, start);
    const { skipped, bytes } = wholeCharacters(buffer.subarray(0, bytesRead));
    return { stream, offset: start + skipped, bytes: bytes.length, text: bytes.toString('utf8') };
  } finally {
    await file.close();
  }
}

async function openIfThere(path: string) {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined; // pruned, or never run
    throw error;
  }
}

/** Ids become folder names: no separators, no leading dot. */
export const isSafeId = (id: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/.test(id);

export async function pruneSpools(folder: string, olderThanMs: number, isRunning: (id: string) => boolean) {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const limit = Date.now() - olderThanMs;
  let dropped = 0;
  for (const id of await readdir(folder)) {
    if (isRunning(id)) continue;
    const times = await Promise.all(
      ['', ...streams].map((name) =>
        stat(join(folder, id, name)).then(
          (found) => found.mtimeMs,
          () => 0, // a spool that was made only half has no such file
        ),
      ),
    );
    if (Math.max(...times) >= limit) continue;
    await rm(join(folder, id), { recursive: true, force: true });
    dropped += 1;
  }
  return dropped;
}
