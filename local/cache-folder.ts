import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where what can be made again is kept between starts: with the packages, so that all data folders (and the
 * tests) share it, or in the data folder when somebody else installed the packages.
 */
export function cacheFolder(root: string, dataDir: string): string {
  const shared = join(root, 'node_modules', '.cache', 'vareon');
  try {
    mkdirSync(shared, { recursive: true });
    accessSync(shared, constants.W_OK);
    return shared;
  } catch {
    const own = join(dataDir, 'cache'); // not ours to write
    mkdirSync(own, { recursive: true, mode: 0o700 });
    return own;
  }
}
