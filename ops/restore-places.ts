import { createHash } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { openStorage } from '../drivers/storage/open.ts';
import type { Manifest, Part } from './archive/manifest.ts';
import { errorCode, Problem } from './problem.ts';

const KEY = /^keys\/([^/]+\.key)$/;
const BLOB = /^blobs\/(.+)$/;

/** Where a part of an archive goes: a file, or a blob of the storage, by its key. */
export type Target = { file: string } | { blob: string };

/** As the settings of the installation that is being made say; what they do not say is in the data folder. */
export function targetOf(path: string, { dataDir, keysDir }: Pick<Config, 'dataDir' | 'keysDir'>): Target {
  const [, blob] = BLOB.exec(path) ?? [];
  if (blob !== undefined) return { blob };
  const [, key] = KEY.exec(path) ?? [];
  return { file: key === undefined ? join(dataDir, path) : join(keysDir, key) };
}

/**
 * Looks, before the first write, whether places outside of the data folder can take what goes there.
 * @returns the keys that are there already, the same as in the archive
 * @throws Problem
 */
export async function requirePlaces(config: Config, { parts }: Manifest): Promise<Set<string>> {
  if (config.VAREON_STORAGE !== undefined && parts.some(({ path }) => BLOB.test(path)))
    await requireStorage(config, config.VAREON_STORAGE);
  const { VAREON_KEYS_DIR, keysDir } = config;
  const keys = parts.filter(({ path }) => KEY.test(path));
  const there = new Set<string>();
  if (VAREON_KEYS_DIR === undefined) return there;
  for (const part of keys) if (await isThere(part, config)) there.add(part.path);
  if (there.size < keys.length && existsSync(keysDir))
    await access(keysDir, constants.W_OK).catch((error: unknown) => {
      throw new Problem(
        `The keys go to ${keysDir} (VAREON_KEYS_DIR), which cannot be written to: ${errorCode(error)}. Restore with another folder and bring its *.key files there.`,
        { cause: error },
      );
    });
  return there;
}

async function isThere({ path, sha256 }: Part, config: Config): Promise<boolean> {
  const target = targetOf(path, config);
  if (!('file' in target) || !existsSync(target.file)) return false;
  const content = await readFile(target.file).catch((error: unknown) => {
    throw new Problem(`${target.file} cannot be read: ${errorCode(error)}.`, { cause: error });
  });
  if (createHash('sha256').update(content).digest('hex') === sha256) return true;
  throw new Problem(
    `${target.file} is there and is another key than the backup’s: name a folder without keys in VAREON_KEYS_DIR.`,
  );
}

async function requireStorage(config: Config, setting: string): Promise<void> {
  try {
    const store = await openStorage(config);
    await store.list('', { limit: 1 });
    store.close();
  } catch (error) {
    throw new Problem(
      `The backup has large values, which go to ${setting.split('?')[0]} (VAREON_STORAGE), and that does not answer: ${(error as Error).message}.`,
      { cause: error },
    );
  }
}
