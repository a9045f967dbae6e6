import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getBuiltinModule } from 'node:process';
import { openSqlite } from '../local/lock.ts';

/** Where the embedded Temporal server keeps everything. */
export const TEMPORAL_FILE = 'temporal/temporal.db';

export interface StoreSnapshot {
  /** From now on what it reads is of this moment, whatever the server writes. */
  begin(): void;
  /** Lets go of the moment, so that another can be tried. */
  release(): void;
  /** Copies the store as it was at that moment. */
  copyTo(file: string): Promise<void>;
  close(): void;
}

/**
 * The store of an embedded Temporal, running or stopped. It is SQLite in WAL mode: who reads never keeps the
 * server from writing, and sees one state for as long as its transaction is open. `VACUUM INTO` cannot run in
 * one, so that its moment could not be chosen; the backup API can.
 */
export function openTemporalStore(dataDir: string): StoreSnapshot | undefined {
  const file = join(dataDir, TEMPORAL_FILE);
  if (!existsSync(file)) return undefined;
  const store = openSqlite(file, { readOnly: true, timeout: 5_000 });
  return {
    begin() {
      store.exec('BEGIN');
      store.prepare('SELECT count(*) FROM sqlite_schema').get(); // the first read chooses the moment
    },
    release: () => store.exec('ROLLBACK'),
    async copyTo(target) {
      await writeFile(target, '', { mode: 0o600 }); // SQLite would make it readable for others
      await getBuiltinModule('node:sqlite').backup(store, target, { rate: 4_096 });
    },
    close: () => store.close(),
  };
}
