import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** There from a restore's first write until its last: what ends in between is not to be started. */
export const restoreMark = (dataDir: string): string => join(dataDir, 'restore.incomplete');

export const isHalfRestored = (dataDir: string): boolean => existsSync(restoreMark(dataDir));

export const halfRestored = (dataDir: string): string =>
  `A restore into ${dataDir} did not finish, so what is there is not whole. Remove that folder and restore again`;
