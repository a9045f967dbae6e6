import { join } from 'node:path';
import type { Client } from 'pg';
import type { Config } from '../config.ts';
import { locks } from '../db/locks.ts';
import { VERSION } from '../version.ts';
import { FORMAT, MANIFEST, type Manifest, type Table } from './archive/manifest.ts';
import { createSealer, type Locks } from './archive/sealing.ts';
import { type ArchiveWriter, createArchive } from './archive/write.ts';
import { readMigrations, readSequences, readTables } from './database/catalog.ts';
import { connect } from './database/connection.ts';
import { copyOut } from './database/copy-out.ts';
import { filesBelow, isYoung } from './files.ts';
import { openInstallation } from './installation.ts';
import { chooseMoment } from './moment.ts';
import { notCovered } from './not-covered.ts';
import { settingsOf } from './settings.ts';
import { openTemporalStore, type StoreSnapshot, TEMPORAL_FILE } from './temporal-store.ts';

export interface BackupOptions {
  config: Config;
  env: Record<string, string | undefined>;
  target: string;
  locks: Locks;
  /** Gives up, and leaves nothing. */
  signal: AbortSignal;
}

export interface Made {
  manifest: Manifest;
  bytes: number;
}

/** Output of steps that is older has long been fetched from its host; what is younger may be on its way. */
const SPOOL_YOUNG_MS = 3_600_000;

/** Makes one archive of the installation, running or stopped. @throws Problem; no file is left then */
export async function makeBackup({ config, env, target, locks, signal }: BackupOptions): Promise<Made> {
  const seal = createSealer(locks);
  const installation = await openInstallation(config);
  const clients: Client[] = [];
  let store: StoreSnapshot | undefined;
  let archive: ArchiveWriter | undefined;
  try {
    store = config.TEMPORAL_ADDRESS ? undefined : openTemporalStore(config.dataDir);
    const [reader, witness] = [
      await connect(installation.databaseUrl),
      await connect(installation.databaseUrl),
    ];
    clients.push(reader, witness);
    archive = await createArchive(target, seal);
    const content = await fill({ archive, reader, witness, store, folders: foldersOf(config), signal });
    const manifest: Manifest = {
      format: FORMAT,
      version: VERSION,
      created_at: new Date().toISOString(),
      ...content,
      temporal_namespace: store ? config.TEMPORAL_NAMESPACE : null,
      not_covered: notCovered(config, store),
      ...settingsOf(env, config),
      parts: [...archive.parts],
    };
    return {
      manifest,
      bytes: await archive.finish(MANIFEST, Buffer.from(JSON.stringify(manifest, null, 1))),
    };
  } catch (error) {
    await archive?.abandon();
    throw error;
  } finally {
    store?.close();
    await Promise.allSettled(clients.map((client) => client.end()));
    await installation.close();
  }
}

interface Sources {
  archive: ArchiveWriter;
  reader: Client;
  witness: Client;
  store: StoreSnapshot | undefined;
  folders: [name: string, place: string, isWanted: Wanted][];
  signal: AbortSignal;
}

type Wanted = (path: string, file: string) => boolean | Promise<boolean>;

/** Files that go along, wherever the settings say that they are. */
function foldersOf(config: Config): Sources['folders'] {
  const { dataDir, keysDir, VAREON_STORAGE: storage } = config;
  const isSpool: Wanted = (path, file) => /\/spool\//.test(path) && isYoung(file, SPOOL_YOUNG_MS);
  // What is being written has a folder of its own, with a dot.
  const isWhole: Wanted = (path) => !path.startsWith('.');
  const folders: Sources['folders'] = [
    // A folder of secrets elsewhere has other files, too.
    ['keys', keysDir, (path) => keysDir === join(dataDir, 'keys') || /^[^/]+\.key$/.test(path)],
    ['hosts', join(dataDir, 'hosts'), isSpool],
  ];
  if (!storage?.startsWith('s3://')) folders.push(['blobs', storage ?? join(dataDir, 'blobs'), isWhole]);
  return folders;
}

async function fill({ archive, reader, witness, store, folders, signal }: Sources) {
  // Held until the connection ends: retention deletes nothing that is still to be copied.
  await witness.query('select pg_advisory_lock_shared($1)', [locks.maintenance]);
  await chooseMoment(reader, witness, store);
  if (store) {
    await store.copyTo(archive.scratch);
    store.release();
    await archive.addFile(TEMPORAL_FILE, archive.scratch);
  }
  const add = (path: string, content: Buffer) => {
    signal.throwIfAborted();
    return archive.add(path, content);
  };
  const tables: Table[] = [];
  for (const table of await readTables(reader))
    tables.push({ ...table, rows: await copyOut(reader, table, add) });
  const database = {
    migrations: await readMigrations(reader),
    tables,
    sequences: await readSequences(reader),
  };
  for (const [name, place, isWanted] of folders)
    for await (const path of filesBelow(place)) {
      signal.throwIfAborted();
      const file = join(place, path);
      if (await isWanted(path, file)) await archive.addFile(`${name}/${path}`, file);
    }
  return database;
}
