import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runOnce } from '../../local/child/run-once.ts';
import { freePort } from '../../local/ports.ts';
import { choosePostgresAccount } from '../../local/postgres/account.ts';
import { findPostgres } from '../../local/postgres/files.ts';
import { repository } from './compose.ts';
import { listens, type Running, start } from './processes.ts';

export interface Postgres extends Running {
  port: number;
  /** As the superuser. */
  url: string;
}

/**
 * A PostgreSQL server of its own with the superuser, roles and databases that docker-compose.yml makes, by the
 * script that it mounts, which needs psql.
 */
export async function startPostgres(options: {
  secrets: string;
  folder: string;
  taken: Set<number>;
}): Promise<Postgres> {
  const { secrets, folder, taken } = options;
  const files = findPostgres();
  const outer = join(folder, 'postgres');
  mkdirSync(outer, { mode: 0o700 });
  const account = await choosePostgresAccount(files, outer);
  const cluster = join(outer, 'cluster');
  const passwordFile = join(outer, 'password');
  writeFileSync(passwordFile, readFileSync(join(secrets, 'postgres-password')), { mode: 0o600 });
  account.give(passwordFile);
  const env = { PATH: process.env.PATH, LC_ALL: 'C' };
  const initdb = [
    '--pgdata',
    cluster,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
  ];
  const [program = '', ...args] = [
    ...account.prefix,
    files.initdb,
    ...initdb,
    '--encoding=UTF8',
    '--no-sync',
  ];
  const made = await runOnce(program, args, { env, cwd: outer });
  if (made.code !== 0) throw new Error(`initdb: ${made.output}`);
  const port = await freePort(taken);
  const settings = {
    port: `${port}`,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '300',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const [file = '', ...rest] = [...account.prefix, files.postgres, '-D', cluster, ...flags];
  const running = await start({
    name: 'postgres',
    command: [file, ...rest],
    env,
    cwd: cluster,
    logFile: join(folder, 'postgres.log'),
    isReady: () => listens(port),
  });
  const password = readFileSync(join(secrets, 'postgres-password'), 'utf8');
  const prepared = await runOnce('sh', [`${repository}production/postgres-databases.sh`], {
    env: {
      ...env,
      SECRETS: secrets,
      POSTGRES_USER: 'postgres',
      PGPASSWORD: password,
      PGHOST: '127.0.0.1',
      PGPORT: `${port}`,
    },
    timeoutMs: 60_000,
  });
  if (prepared.code !== 0) {
    await running.stop();
    throw new Error(`the databases could not be made: ${prepared.output}`);
  }
  return {
    ...running,
    port,
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    // SIGINT: it ends the connections instead of waiting for them.
    async stop() {
      running.kill('SIGINT');
      await running.ended;
    },
  };
}
