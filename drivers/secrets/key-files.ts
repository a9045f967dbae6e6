import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/**
 * The encryption keys as files: `encryption.key` seals, `encryption-<key id>.key` are older ones that still open,
 * and `encryption-next.key` is one that is about to seal. Each file appears whole or not at all, and is on the disk
 * before anything depends on it.
 */
const CURRENT = 'encryption.key';
const NEXT = 'encryption-next.key';
const older = (id: string) => `encryption-${id}.key`;
const isKeyFile = /^encryption(-next|-[0-9a-f]{16})?\.key$/;

export const KEY_BYTES = 32;
export const KEY_ID_BYTES = 8;

export const keyId = (key: Buffer): string =>
  createHash('sha256').update('vareon key id').update(key).digest().subarray(0, KEY_ID_BYTES).toString('hex');

export const currentKeyFile = (folder: string): string => join(folder, CURRENT);

/** @throws Error when the file does not hold a key. */
export function readKey(file: string): Buffer {
  const bytes = Buffer.from(readFileSync(file, 'utf8'), 'base64');
  if (bytes.length !== KEY_BYTES)
    throw new Error(`${file} holds ${bytes.length} bytes, not ${KEY_BYTES}: restore it from a backup`);
  return bytes;
}

/** Every key in the folder by its id; what another process removes meanwhile is left out. */
export function readAllKeys(folder: string): Map<string, Buffer> {
  const keys = new Map<string, Buffer>();
  for (const name of readdirSync(folder).filter((file) => isKeyFile.test(file)))
    try {
      const key = readKey(join(folder, name));
      keys.set(keyId(key), key);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  return keys;
}

/** Ids of the keys that are kept only to open what they sealed. */
export const olderKeyIds = (folder: string): string[] =>
  readdirSync(folder).flatMap((name) => /^encryption-([0-9a-f]{16})\.key$/.exec(name)?.[1] ?? []);

export const hasNextKey = (folder: string): boolean => existsSync(join(folder, NEXT));

/** Makes the key that will seal next, unless an interrupted rotation left one. */
export function makeNextKey(folder: string): void {
  if (!hasNextKey(folder)) write(folder, NEXT, randomBytes(KEY_BYTES).toString('base64'));
}

/**
 * Makes the next key the current one. From the rename on, processes seal with it; whatever the rename meets (a
 * kill, a power cut), both keys are on the disk under one name or the other.
 * @returns the ids of both.
 */
export function promoteNextKey(folder: string): { from: string; to: string } {
  const current = readFileSync(currentKeyFile(folder), 'utf8');
  const from = keyId(readKey(currentKeyFile(folder)));
  const to = keyId(readKey(join(folder, NEXT)));
  write(folder, older(from), current);
  renameSync(join(folder, NEXT), currentKeyFile(folder));
  sync(folder);
  return { from, to };
}

export function removeOlderKey(folder: string, id: string): void {
  rmSync(join(folder, older(id)), { force: true });
  sync(folder);
}

function write(folder: string, name: string, text: string): void {
  const temporary = join(folder, `${name}.${process.pid}`);
  writeFileSync(temporary, text, { mode: 0o600, flush: true });
  renameSync(temporary, join(folder, name));
  sync(folder);
}

/** A rename is on the disk once its folder is. */
function sync(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
