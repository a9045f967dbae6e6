import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runOnce } from '../child/run-once.ts';
import { type Report, StartError } from '../events.ts';
import { type Account, choosePostgresAccount } from './account.ts';
import { findPostgres, type PostgresFiles } from './files.ts';
import { clearStalePidFile } from './stale.ts';

export const DATABASE = 'vareon';
export const DATABASE_USER = 'vareon';

export interface Cluster {
  files: PostgresFiles;
  account: Account;
  /** PostgreSQL's data directory, owned by the account. */
  folder: string;
  password: string;
}

export interface ClusterOptions {
  dataDir: string;
  report: Report;
  signal: AbortSignal;
}

/** PostgreSQL's own surroundings: none of ours, and messages in English. */
export const postgresEnv = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };

/** Finds the database's files, making them on the first start: whole or not at all. */
export async function prepareCluster({ dataDir, report, signal }: ClusterOptions): Promise<Cluster> {
  const files = findPostgres();
  const outer = join(dataDir, 'postgres');
  mkdirSync(outer, { recursive: true, mode: 0o700 });
  const account = await choosePostgresAccount(files, outer);
  const folder = join(outer, 'cluster');
  const cluster = { files, account, folder, password: readPassword(dataDir) };
  if (existsSync(folder)) {
    await clearStalePidFile(folder);
    return cluster;
  }
  report({ type: 'progress', part: 'postgres', text: 'making the database' });
  const draft = join(outer, 'draft');
  rmSync(draft, { recursive: true, force: true }); // of a start that was killed
  await make({ ...cluster, folder: draft }, signal);
  renameSync(draft, folder);
  return cluster;
}

async function make(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { account, files, folder, password } = cluster;
  mkdirSync(folder, { mode: 0o700 });
  account.give(folder);
  const ownFile = `${folder}.password`;
  writeFileSync(ownFile, `${password}\n`, { mode: 0o600 });
  account.give(ownFile);
  try {
    await run(cluster, signal, files.initdb, [
      `--pgdata=${folder}`,
      `--username=${DATABASE_USER}`,
      `--pwfile=${ownFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      // PostgreSQL's own collation: the same order on every machine, whatever its C library.
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
    ]);
  } finally {
    rmSync(ownFile, { force: true });
  }
  // Single-user mode needs no port and no password.
  const single = ['--single', '-j', '-D', folder, 'postgres'];
  await run(cluster, signal, files.postgres, single, `CREATE DATABASE ${DATABASE};\n`);
}

async function run(
  { account, folder }: Cluster,
  signal: AbortSignal,
  command: string,
  args: string[],
  input = '',
): Promise<void> {
  const [file = '', ...all] = [...account.prefix, command, ...args];
  const { code, output } = await runOnce(file, all, { env: postgresEnv, cwd: folder, input, signal });
  signal.throwIfAborted();
  if (code !== 0 || /^(ERROR|FATAL|PANIC):/m.test(output))
    throw new StartError('PostgreSQL cannot start: the database could not be made', output.trim());
}

const passwordFile = (dataDir: string) => join(dataDir, 'keys', 'postgres.password');

/** The password of a cluster that was made, if one was. */
export const keptPassword = (dataDir: string): string | undefined =>
  existsSync(passwordFile(dataDir)) ? readFileSync(passwordFile(dataDir), 'utf8').trim() : undefined;

function readPassword(dataDir: string): string {
  const file = passwordFile(dataDir);
  mkdirSync(join(dataDir, 'keys'), { recursive: true, mode: 0o700 });
  if (!existsSync(file)) {
    const temporary = `${file}.new`;
    writeFileSync(temporary, randomBytes(24).toString('base64url'), { mode: 0o600, flush: true });
    renameSync(temporary, file);
  }
  return readFileSync(file, 'utf8').trim();
}
