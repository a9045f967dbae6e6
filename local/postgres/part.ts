import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pause } from '../child/pause.ts';
import type { PartSpec } from '../child/supervise.ts';
import { type Cluster, DATABASE, DATABASE_USER, postgresEnv } from './cluster.ts';

const POLL_MS = 20;

/** Fast shutdown: it ends the connections instead of waiting for them. */
export const POSTGRES_STOP = 'SIGINT';

/** PostgreSQL on 127.0.0.1 only, without a Unix socket; `bound` goes before its command (boundToUs). */
export function postgresPart({ account, files, folder }: Cluster, port: number, bound: string[]): PartSpec {
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return {
    name: 'postgres',
    command: () => {
      const [file = '', ...args] = [...account.prefix, ...bound, files.postgres, '-D', folder, ...options];
      return { file, args, env: postgresEnv, cwd: folder };
    },
    async ready(child, signal) {
      while (!signal.aborted && !isReady(folder, child.pid)) await pause(POLL_MS, signal);
      return {};
    },
    stopSignal: POSTGRES_STOP,
  };
}

/** As pg_ctl does it: the server writes its number on line 1 and its state on line 8 of its pid file. */
function isReady(folder: string, pid: number | undefined): boolean {
  try {
    const lines = readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n');
    return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
  } catch {
    return false; // not written yet
  }
}

/** The port of a server that runs on this folder (line 4 of its pid file), if one does. */
export function runningPort(folder: string): number | undefined {
  try {
    const lines = readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n');
    return Number(lines[3]) || undefined;
  } catch {
    return undefined; // none runs
  }
}

export const databaseUrl = ({ password }: Pick<Cluster, 'password'>, port: number): string =>
  `postgres://${DATABASE_USER}:${password}@127.0.0.1:${port}/${DATABASE}`;
