import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import type { Config } from '../config.ts';
import { migrations } from '../db/migrations.ts';
import { restoreMark } from '../local/half-restored.ts';
import { lockFolder } from '../local/lock.ts';
import type { Manifest } from './archive/manifest.ts';
import { readArchive, verifyArchive } from './archive/read.ts';
import type { KeysToOpen } from './archive/sealing.ts';
import { connect } from './database/connection.ts';
import { createLoader } from './database/copy-in.ts';
import { tableOf } from './database/copy-out.ts';
import { migrateTo } from './database/schema.ts';
import { withDatabase } from './installation.ts';
import { Problem } from './problem.ts';
import { drain, restoreFiles } from './restore-files.ts';
import { requirePlaces } from './restore-places.ts';

export interface RestoreOptions {
  config: Config;
  file: string;
  keys: KeysToOpen;
  signal: AbortSignal;
}

/**
 * Makes an installation from a backup, in an empty data folder; keys and large values go where the settings say. All
 * of the archive is checked before the first write; a mark in the folder keeps `npm start` away until the last one.
 * @throws Problem
 */
export async function makeRestore({ config, file, keys, signal }: RestoreOptions): Promise<Manifest> {
  const { dataDir } = config;
  refuseUnlessEmpty(dataDir);
  const manifest = await verifyArchive(file, keys);
  refuseNewer(manifest);
  const there = await requirePlaces(config, manifest);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  await chmod(dataDir, 0o700);
  const lock = lockFolder(dataDir);
  if (!lock) throw new Problem(`Another process works in ${dataDir}.`);
  writeFileSync(restoreMark(dataDir), `${JSON.stringify({ file })}\n`, { mode: 0o600, flush: true });
  try {
    await restoreFiles({ config, file, keys, there, signal });
  } catch (error) {
    lock.release();
    throw error;
  }
  const installation = await withDatabase(config, lock);
  try {
    await restoreDatabase(installation.databaseUrl, { manifest, file, keys, signal });
    rmSync(restoreMark(dataDir));
  } finally {
    await installation.close();
  }
  return manifest;
}

/** What a lock that was tried leaves behind is no installation. */
const ours = new Set(['lock.db', 'lock.db-journal']);

function refuseUnlessEmpty(dataDir: string): void {
  if (!existsSync(dataDir)) return;
  const [found] = readdirSync(dataDir).filter((name) => !ours.has(name));
  if (found !== undefined)
    throw new Problem(
      `${dataDir} is not empty (it holds ${found}): restore into a folder that is empty or not there, with VAREON_DATA_DIR.`,
    );
}

function refuseNewer(manifest: Manifest): void {
  const known = new Set<string>(migrations.map(({ name }) => name));
  const unknown = manifest.migrations.filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw new Problem(
      `This backup was made by Vareon ${manifest.version}, which knows migrations that this version does not (${unknown.join(', ')}). Install that version or a later one.`,
    );
}

/** Whoever held the hosts' names when the backup was made holds none of this installation's. */
async function releaseHosts(client: Awaited<ReturnType<typeof connect>>): Promise<void> {
  const known = await client.query(
    `select 1 from information_schema.columns
     where table_schema = current_schema() and table_name = 'hosts' and column_name = 'leased_until'`,
  );
  if (known.rows.length > 0) await client.query('update hosts set leased_until = null');
}

async function restoreDatabase(
  databaseUrl: string,
  { manifest, file, keys, signal }: Pick<RestoreOptions, 'file' | 'keys' | 'signal'> & { manifest: Manifest },
): Promise<void> {
  await migrateTo(databaseUrl, manifest.migrations);
  const client = await connect(databaseUrl);
  try {
    const loader = await createLoader(client, manifest);
    for await (const { path, content } of readArchive(file, keys)) {
      signal.throwIfAborted();
      if (tableOf(path) === undefined) await drain(content);
      else await loader.add(path, content);
    }
    await loader.finish();
    await releaseHosts(client);
  } finally {
    await client.end().catch(() => {}); // what was not committed is gone with it
  }
}
