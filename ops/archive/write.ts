import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack as createPack } from 'tar-stream';
import { errorCode, Problem } from '../problem.ts';
import type { Part } from './manifest.ts';

export interface ArchiveWriter {
  /** A file beside the archive for what must be whole before it can be added. */
  scratch: string;
  add(path: string, content: Buffer): Promise<void>;
  /** Adds a file as far as it goes now. @returns false when it is gone. */
  addFile(path: string, file: string): Promise<boolean>;
  /** What was added so far. */
  parts: readonly Part[];
  /** Adds the last entry and gives the archive its name. @returns its size in bytes */
  finish(path: string, content: Buffer): Promise<number>;
  /** Removes all of it. */
  abandon(): Promise<void>;
}

/** Speed counts for more than size: the rows are text and shrink to a fifth even so. */
const COMPRESSION = 1;

/**
 * A tar archive, gzipped and perhaps encrypted, for its owner only. It has another name until it is whole and
 * on the disk, so there is never half of one under the name that was asked for.
 * @throws Problem when there is such a file already
 */
export async function createArchive(
  target: string,
  seal: ((plain: Readable) => Promise<Readable>) | undefined,
): Promise<ArchiveWriter> {
  if (existsSync(target)) throw new Problem(`${target} exists already: choose another name with --to.`);
  const draft = join(dirname(target), `.${basename(target)}.${process.pid}.partial`);
  const scratch = `${draft}.scratch`;
  const output = createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true });
  await once(output, 'open').catch((error: unknown) => {
    throw new Problem(`${dirname(target)} cannot be written to: ${errorCode(error)}.`, { cause: error });
  });
  const pack = createPack();
  const compressed = pack.pipe(createGzip({ level: COMPRESSION }));
  pack.on('error', (error) => compressed.destroy(error));
  const sealed = seal ? await seal(compressed) : compressed;
  const written = pipeline(sealed, output);
  written.catch((error: unknown) => pack.destroy(error as Error)); // awaited in finish
  const parts: Part[] = [];

  /** Waits until the entry has gone through, or the archive cannot be written any more. */
  async function entry(path: string, bytes: number, content: Iterable<Buffer> | AsyncIterable<Buffer>) {
    const hash = createHash('sha256');
    const sink = pack.entry({ name: path, size: bytes, mode: 0o600 });
    const update = (chunk: Buffer) => void hash.update(chunk);
    // When the archive cannot be written any more, nothing takes what the entry has to give.
    await Promise.race([pipeline(hashed(content, update), sink), written]);
    parts.push({ path, bytes, sha256: hash.digest('hex') });
  }

  return {
    scratch,
    parts,
    add: (path, content) => entry(path, content.length, [content]),
    async addFile(path, file) {
      const found = await stat(file).catch((error: unknown) => {
        if (errorCode(error) === 'ENOENT') return undefined;
        throw error;
      });
      if (!found) return false;
      const whole: AsyncIterable<Buffer> =
        found.size === 0 ? nothing() : createReadStream(file, { end: found.size - 1 });
      await entry(path, found.size, whole);
      return true;
    },
    async finish(path, content) {
      await entry(path, content.length, [content]);
      pack.finalize();
      await written;
      const { size } = await stat(draft);
      await rm(scratch, { force: true });
      await rename(draft, target);
      await syncFolder(dirname(target));
      return size;
    },
    async abandon() {
      pack.destroy();
      output.destroy();
      await written.catch(() => {}); // it is being thrown away
      await Promise.all([rm(draft, { force: true }), rm(scratch, { force: true })]);
    },
  };
}

async function* hashed(content: Iterable<Buffer> | AsyncIterable<Buffer>, update: (bytes: Buffer) => void) {
  for await (const bytes of content) {
    update(bytes);
    yield bytes;
  }
}

async function* nothing(): AsyncGenerator<Buffer> {}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
