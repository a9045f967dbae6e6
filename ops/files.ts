import type { Dirent } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from './problem.ts';

/** The regular files below a folder, by their path in it; nothing when there is no such folder. */
export async function* filesBelow(folder: string, prefix = ''): AsyncGenerator<string> {
  const entries = await opendir(join(folder, prefix)).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return [] as Dirent[]; // removed meanwhile, or never made
    throw error;
  });
  for await (const entry of entries) {
    const path = prefix ? `${prefix}/${entry.name}` : entry.name;
    if (entry.isDirectory()) yield* filesBelow(folder, path);
    else if (entry.isFile()) yield path;
  }
}

/** Whether a file was written to within that time. */
export async function isYoung(file: string, withinMs: number): Promise<boolean> {
  const found = await stat(file).catch(() => undefined); // removed meanwhile
  return found !== undefined && Date.now() - found.mtimeMs < withinMs;
}
