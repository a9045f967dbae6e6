import { join } from 'node:path';
import { getBuiltinModule } from 'node:process';
import type { DatabaseSync, DatabaseSyncOptions } from 'node:sqlite';

const SQLITE_BUSY = 5;

/**
 * Takes the data folder for this process, or answers undefined when another process has it. SQLite's
 * exclusive transaction is a lock of the kernel's: it goes with its process however that ends, so there is
 * no stale lock to reason about.
 */
export function lockFolder(dataDir: string): { release(): void } | undefined {
  const database = openSqlite(join(dataDir, 'lock.db'));
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined; // node:sqlite's own errors
    throw error;
  }
  return { release: () => database.close() };
}

/** node:sqlite says once that it is experimental; that line, and no other, is kept from the user. */
export function openSqlite(file: string, options: DatabaseSyncOptions = {}): DatabaseSync {
  const warn = process.emitWarning;
  process.emitWarning = () => {};
  try {
    const sqlite = getBuiltinModule('node:sqlite');
    return new sqlite.DatabaseSync(file, options);
  } finally {
    process.emitWarning = warn;
  }
}
