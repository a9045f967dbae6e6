import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { runOnce } from '../../local/child/run-once.ts';
import { freePort } from '../../local/ports.ts';
import { which } from '../../local/temporal/check.ts';
import { readCompose, repository, serviceEnvironment } from './compose.ts';
import { listens, type Running, start } from './processes.ts';

export interface Temporal extends Running {
  address: string;
  namespace: string;
  uiUrl: string;
  how: string;
}

export interface TemporalOptions {
  secrets: string;
  folder: string;
  taken: Set<number>;
  postgresPort: number;
  /** Temporal's CLI. */
  cli: string;
}

/**
 * A Temporal server that nobody supervises. With `temporal-server` and `temporal-sql-tool` on PATH, and their schema
 * named by TEMPORAL_SCHEMA, it is the server of docker-compose.yml with its environment on PostgreSQL; else the dev
 * server on SQLite, with the same dynamic settings. The namespace is made by the script that Compose runs.
 */
export async function startTemporal(options: TemporalOptions): Promise<Temporal> {
  const { PATH = '', TEMPORAL_SCHEMA } = process.env;
  const server = which('temporal-server', { PATH });
  const tool = which('temporal-sql-tool', { PATH });
  const port = await freePort(options.taken);
  const running =
    server && tool && TEMPORAL_SCHEMA ? await onPostgres(options, port) : await devServer(options, port);
  const address = `127.0.0.1:${port}`;
  const { TEMPORAL_NAMESPACE: namespace = '' } = serviceEnvironment('temporal-namespace', {
    secrets: options.secrets,
    variables: {},
    instead: {},
  });
  const PATHS = { PATH: `${join(options.cli, '..')}:${PATH}`, HOME: process.env.HOME };
  const made = await script('temporal-namespace', { ...PATHS, TEMPORAL_ADDRESS: address });
  const again = await script('temporal-namespace', { ...PATHS, TEMPORAL_ADDRESS: address });
  if (made.code !== 0 || again.code !== 0) {
    await running.stop();
    throw new Error(`the namespace could not be made: ${made.output}\n${again.output}`);
  }
  return { ...running, address, namespace, uiUrl: running.uiUrl ?? '', how: running.how };
}

/** Runs what a one-shot service of docker-compose.yml runs. */
function script(service: string, instead: Record<string, string | undefined>) {
  const [, command = ''] = readCompose().services[service]?.entrypoint ?? [];
  return runOnce('sh', [`${repository}production/${basename(command)}`], {
    env: { ...serviceEnvironment(service, { secrets: '', variables: {}, instead: {} }), ...instead },
    timeoutMs: 120_000,
  });
}

type Started = Running & { how: string; uiUrl?: string };

async function onPostgres(
  { secrets, folder, taken, postgresPort }: TemporalOptions,
  port: number,
): Promise<Started> {
  const { PATH, TEMPORAL_SCHEMA } = process.env;
  const place = { PATH, POSTGRES_SEEDS: '127.0.0.1', DB_PORT: String(postgresPort) };
  // Twice, as Compose does it at each start.
  for (let round = 0; round < 2; round++) {
    const { code, output } = await script('temporal-schema', {
      ...place,
      SECRETS: secrets,
      SCHEMA: TEMPORAL_SCHEMA,
    });
    if (code !== 0) throw new Error(`the schema of Temporal could not be made: ${output}`);
  }
  const httpPort = await freePort(taken);
  const ports: Record<string, string> = {
    FRONTEND_GRPC_PORT: String(port),
    FRONTEND_HTTP_PORT: String(httpPort),
  };
  for (const role of ['FRONTEND', 'HISTORY', 'MATCHING', 'WORKER', 'INTERNAL_FRONTEND']) {
    ports[`${role}_MEMBERSHIP_PORT`] = String(await freePort(taken));
    if (role !== 'FRONTEND') ports[`${role}_GRPC_PORT`] = String(await freePort(taken));
  }
  const running = await start({
    name: 'temporal',
    command: ['temporal-server', 'start'],
    env: serviceEnvironment('temporal', {
      secrets,
      variables: {},
      instead: {
        ...place,
        PATH: PATH ?? '',
        ...ports,
        BIND_ON_IP: '127.0.0.1',
        POSTGRES_PWD: readFileSync(join(secrets, 'temporal-database-password'), 'utf8'),
        DYNAMIC_CONFIG_FILE_PATH: `${repository}production/temporal-dynamic.yaml`,
      },
    }),
    cwd: folder,
    logFile: join(folder, 'temporal.log'),
    isReady: () => listens(port),
  });
  return { ...running, how: 'temporal-server on PostgreSQL', uiUrl: `http://127.0.0.1:${httpPort}` };
}

async function devServer({ folder, taken, cli }: TemporalOptions, port: number): Promise<Started> {
  const dynamic = parse(readFileSync(`${repository}production/temporal-dynamic.yaml`, 'utf8')) as Record<
    string,
    [{ value: unknown }]
  >; // ours
  const httpPort = await freePort(taken);
  const uiPort = await freePort(taken);
  const running = await start({
    name: 'temporal',
    command: [
      cli,
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', `${port}`, '--http-port', `${httpPort}`],
      ...['--ui-port', `${uiPort}`, '--db-filename', join(folder, 'temporal.db'), '--log-level', 'warn'],
      ...['--sqlite-pragma', 'journal_mode=WAL'],
      ...Object.entries(dynamic).flatMap(([name, [{ value }]]) => [
        '--dynamic-config-value',
        `${name}=${JSON.stringify(value)}`,
      ]),
    ],
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
    logFile: join(folder, 'temporal.log'),
    isReady: () => listens(port),
  });
  return { ...running, how: 'the dev server on SQLite', uiUrl: `http://127.0.0.1:${uiPort}` };
}
