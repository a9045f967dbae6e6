import { randomUUID } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { mkdir, open, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { requireKey, requirePrefix } from './keys.ts';
import { type BlobContent, type BlobInfo, BlobNotFound, type BlobStore } from './port.ts';
import { piecesOf } from './read.ts';

/** Where blobs are written until they are whole; no key begins with a dot. */
const INCOMING = '.incoming';
/** Nobody writes one blob for this long: what is older was left by a crash. */
const LEFT_OVER_MS = 24 * 3_600_000;
const PAGE = 1_000;

/**
 * Blobs as files of a folder, mode 0600 in folders of 0700. Several processes may have it open. What an earlier
 * crash left half written is removed here.
 */
export async function openFolderStore(root: string): Promise<BlobStore> {
  const incoming = join(root, INCOMING);
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  await removeLeftOvers(incoming);
  const fileOf = (key: string) => join(root, ...requireKey(key).split('/'));

  return {
    async put(key, content, { signal } = {}) {
      const file = fileOf(key);
      const draft = join(incoming, randomUUID());
      try {
        const sizeBytes = await writeSynced(draft, content, signal);
        await moveInto(draft, file, root);
        return { key, sizeBytes };
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
    },

    async get(key, { signal } = {}) {
      const handle = await open(fileOf(key), 'r').catch((error: unknown) => {
        throw isMissing(error) ? new BlobNotFound(key, { cause: error }) : error;
      });
      const { size } = await handle.stat();
      // The stream closes the handle when it ends, fails or is given up.
      return { key, sizeBytes: size, content: handle.createReadStream(signal ? { signal } : {}) };
    },

    async stat(key) {
      const found = await stat(fileOf(key)).catch(unlessMissing);
      return found?.isFile() ? { key, sizeBytes: found.size } : undefined;
    },

    async delete(key) {
      const file = fileOf(key);
      await unlink(file).catch(unlessMissing);
      await removeEmpty(dirname(file), root);
    },

    async list(prefix, { from = '', limit = PAGE } = {}) {
      const blobs: BlobInfo[] = [];
      for await (const key of walk(root, requirePrefix(prefix), from)) {
        const found = await stat(fileOf(key)).catch(unlessMissing);
        if (!found) continue;
        if (blobs.length === limit) return { blobs, next: blobs.at(-1)?.key ?? '' };
        blobs.push({ key, sizeBytes: found.size });
      }
      return { blobs };
    },

    close() {},
  };
}

async function writeSynced(file: string, content: BlobContent, signal?: AbortSignal): Promise<number> {
  const handle = await open(file, 'wx', 0o600);
  let bytes = 0;
  try {
    for await (const piece of piecesOf(content)) {
      signal?.throwIfAborted();
      await handle.writeFile(piece);
      bytes += piece.length;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return bytes;
}

/** A folder that others remove as empty is there again at once. */
const ATTEMPTS = 50;

/** Renames into a folder that may not be there yet, or be removed as empty in this very moment. */
async function moveInto(draft: string, file: string, root: string): Promise<void> {
  const folder = dirname(file);
  for (let attempt = 1; ; attempt++) {
    let made: string | undefined;
    try {
      // It is not there either, sometimes, after it was found there.
      made = await mkdir(folder, { recursive: true, mode: 0o700 });
      await rename(draft, file);
    } catch (error) {
      if (isMissing(error) && attempt < ATTEMPTS) continue;
      throw error;
    }
    // The names of new folders must last as well.
    const top = made ? dirname(made) : folder;
    for (let at = folder; ; at = dirname(at)) {
      await syncFolder(at);
      if (at === top || at === root) return;
    }
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(unlessMissing);
  if (!handle) return; // removed as empty: somebody deleted the blob
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function removeEmpty(folder: string, root: string): Promise<void> {
  for (let at = folder; at !== root && at.startsWith(root + sep); at = dirname(at)) {
    try {
      await rmdir(at);
    } catch {
      return; // it holds others
    }
  }
}

/** All keys below a prefix that come after a key, in their order. */
async function* walk(root: string, prefix: string, after: string): AsyncGenerator<string> {
  const entries = (await readdir(join(root, prefix), { withFileTypes: true }).catch(unlessMissing)) ?? [];
  const names = entries
    .filter(({ name }) => !name.startsWith('.'))
    .map((entry: Dirent) => `${prefix}${entry.name}${entry.isDirectory() ? '/' : ''}`)
    .sort();
  for (const name of names) {
    if (!name.endsWith('/')) {
      if (name > after) yield name;
    } else if (name > after || after.startsWith(name)) yield* walk(root, name, after);
  }
}

async function removeLeftOvers(incoming: string): Promise<void> {
  for (const name of await readdir(incoming)) {
    const file = join(incoming, name);
    const found = await stat(file).catch(unlessMissing);
    if (found && Date.now() - found.mtimeMs > LEFT_OVER_MS) await rm(file, { force: true });
  }
}

const isMissing = (error: unknown) =>
  ['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code));

function unlessMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}
