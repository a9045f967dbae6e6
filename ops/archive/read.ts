import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { errorCode, Problem } from '../problem.ts';
import { MANIFEST, type Manifest, parseManifest } from './manifest.ts';
import { AGE_MAGIC, type KeysToOpen, unseal } from './sealing.ts';

export interface Entry {
  path: string;
  content: AsyncIterable<Buffer>;
}

/** Where files of an archive may go: names that we made, below the data folder. */
const SAFE_PATH = /^(?!.*(?:^|\/)\.\.?(?:\/|$))[A-Za-z0-9._-][A-Za-z0-9._/@=+,-]*$/;
/**
 * What a backup has. Other files of a data folder are read by programs: a configuration of PostgreSQL names commands
 * to run, a state file names processes to end.
 */
const OURS =
  /^(?:manifest\.json|temporal\/temporal\.db|(?:database|keys|blobs)\/.+|hosts\/[^/]+\/spool\/.+)$/;

const MANIFEST_LIMIT_BYTES = 512 * 1024 * 1024;

/** The entries of an archive in their order; each must be read before the next. @throws Problem */
export async function* readArchive(file: string, keys: KeysToOpen): AsyncGenerator<Entry> {
  const damaged = (error: unknown) =>
    new Problem(`${file} is damaged or not a backup: ${(error as Error).message}.`, { cause: error });
  const source = await opened(file, keys);
  const entries = extract();
  const unzip = createGunzip();
  source.on('error', (error) => entries.destroy(error));
  unzip.on('error', (error) => entries.destroy(error));
  source.pipe(unzip).pipe(entries);
  try {
    for await (const entry of entries) {
      const { name, type } = entry.header;
      if (type !== 'file' || !SAFE_PATH.test(name) || !OURS.test(name))
        throw new Problem(`${file} holds the entry "${name}" (${type}), which no backup has.`);
      // tar-stream gives bytes
      yield { path: name, content: told(entry as AsyncIterable<Buffer>, damaged) };
    }
  } catch (error) {
    throw error instanceof Problem ? error : damaged(error);
  } finally {
    source.destroy();
  }
}

/** Errors while an entry is read are the reader's to explain, not those of whoever takes what it gives. */
async function* told(content: AsyncIterable<Buffer>, explain: (error: unknown) => Error) {
  const bytes = content[Symbol.asyncIterator]();
  for (;;) {
    const next = await bytes.next().catch((error: unknown) => {
      throw explain(error);
    });
    if (next.done) return;
    yield next.value;
  }
}

async function opened(file: string, keys: KeysToOpen): Promise<Readable> {
  const head = Buffer.alloc(AGE_MAGIC.length);
  try {
    const handle = await open(file, 'r');
    try {
      await handle.read(head, 0, head.length, 0);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new Problem(`${file} cannot be read: ${errorCode(error)}.`, { cause: error });
  }
  const bytes = createReadStream(file);
  if (head.toString('latin1') !== AGE_MAGIC) return bytes;
  return unseal(bytes, keys);
}

/** Reads all of an archive and compares every part with the manifest. @throws Problem naming what is wrong */
export async function verifyArchive(file: string, keys: KeysToOpen): Promise<Manifest> {
  const seen = new Map<string, { bytes: number; sha256: string }>();
  let manifest: Manifest | undefined;
  for await (const { path, content } of readArchive(file, keys)) {
    if (path === MANIFEST) manifest = parseManifest(await textOf(content));
    else seen.set(path, await digest(content));
  }
  if (!manifest) throw new Problem(`${file} has no manifest: it is not a whole backup.`);
  for (const { path, bytes, sha256 } of manifest.parts) {
    const found = seen.get(path);
    if (!found) throw new Problem(`${file} lacks ${path}.`);
    if (found.bytes !== bytes || found.sha256 !== sha256)
      throw new Problem(`${file} is damaged: ${path} has another checksum than when it was backed up.`);
    seen.delete(path);
  }
  const [extra] = seen.keys();
  if (extra !== undefined) throw new Problem(`${file} holds ${extra}, which its manifest does not name.`);
  return manifest;
}

async function digest(content: AsyncIterable<Buffer>) {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

async function textOf(content: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    if (bytes > MANIFEST_LIMIT_BYTES) throw new Problem('The manifest of this backup is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
