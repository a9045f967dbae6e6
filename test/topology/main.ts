import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTemporal } from '../../local/temporal/binary.ts';
import { which } from '../../local/temporal/check.ts';
import { makeSecrets } from '../../production/secrets.ts';
import { announceStack } from '../support/stack.ts';
import { repository } from './compose.ts';
import { findMosquitto, startMosquitto } from './mosquitto.ts';
import { startPostgres } from './postgres.ts';
import type { Running } from './processes.ts';
import { startReplicas } from './replicas.ts';
import { startTemporal } from './temporal.ts';

/**
 * `npm run topology [-- <tests>]`: what docker-compose.yml starts, without containers: PostgreSQL, Temporal and
 * Mosquitto as servers of their own, two APIs, two platform workers and a host with Compose's environments; then
 * the repository's tests against the two APIs in turn, and those of several replicas.
 */
const usual = [
  ...['test/neosyntis', 'test/system', 'test/auth', 'test/http', 'test/authorization.test.ts', 'test/bus'],
  ...['test/myntrix/(agent-workflow|device-(workflow|files|queue|feed|gcode|jobs.test|store)|scene|task)'],
  '--testPathIgnorePatterns',
  // Mosquitto lets in hosts that `npm run secrets` made, not those that a test enrols.
  ...['hosts-(fenced|join|loss)', 'hostile-host', 'host-session', 'neosyntis/containers'],
  // They read payloads without the key; they send what no proxy passes on.
  ...['system/retention', 'http/hostile'],
];
const asked = process.argv.slice(2);
/** Starts replicas of its own, kills some, and wants the host's login for itself. */
const isOfReplicas = (path: string) => path.includes('replicas');
const shared = asked.length > 0 ? asked.filter((path) => !isOfReplicas(path)) : usual;
const replicasToo = asked.length === 0 || asked.some(isOfReplicas);

const mosquitto = findMosquitto();
const missing = [
  ...(mosquitto ? [] : ['mosquitto (Debian: apt-get install mosquitto)']),
  ...(which('psql', process.env) ? [] : ['psql (Debian: apt-get install postgresql-client)']),
];
if (!mosquitto || missing.length > 0) {
  console.error(`This needs programs that are not here: ${missing.join(', ')}.`);
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'vareon-topology-'));
const started: { stop(): Promise<void> }[] = [];
const keep = <T extends { stop(): Promise<void> }>(one: T): T => {
  started.unshift(one);
  return one;
};
let passed = false;
try {
  passed = await run(mosquitto);
} catch (error) {
  console.error(error);
} finally {
  for (const one of started) await one.stop();
  if (passed) rmSync(folder, { recursive: true, force: true });
  else console.error(`Logs are in ${folder}`);
}
process.exitCode = passed ? 0 : 1;

async function run(program: string): Promise<boolean> {
  const secrets = join(folder, 'secrets');
  makeSecrets(secrets, ['local']);
  const taken = new Set<number>();
  const cli = await findTemporal({
    env: process.env,
    signal: new AbortController().signal,
    progress: console.log,
  });
  const bus = keep(await startMosquitto({ program, secrets, folder, taken }));
  const postgres = keep(await startPostgres({ secrets, folder, taken }));
  const temporal = keep(await startTemporal({ secrets, folder, taken, postgresPort: postgres.port, cli }));
  console.log(`PostgreSQL, Mosquitto and Temporal (${temporal.how}) run`);

  const databaseUrl = readFileSync(join(secrets, 'database-url'), 'utf8').replace(
    '@postgres:5432',
    `@127.0.0.1:${postgres.port}`,
  );
  writeFileSync(join(secrets, 'database-url'), databaseUrl);
  const servers = {
    secrets,
    temporalAddress: temporal.address,
    temporalNamespace: temporal.namespace,
    busUrl: `mqtt://127.0.0.1:${bus.platformPort}`,
    hostBusUrl: `mqtt://127.0.0.1:${bus.hostsPort}`,
  };
  const replicasFolder = join(folder, 'replicas');
  mkdirSync(replicasFolder);
  const startedAt = performance.now();
  const replicas = await startReplicas(servers, replicasFolder, process.env.TOPOLOGY_ROOT ?? repository);
  const closing = keep({ stop: () => replicas.close() });
  console.log(`two APIs, two platform workers and a host are ready after ${seconds(startedAt)} s`);
  announceStack({
    apiUrl: replicas.url,
    databaseUrl,
    testDatabaseUrl: postgres.url,
    temporalAddress: temporal.address,
    temporalUiUrl: temporal.uiUrl,
    busUrl: servers.busUrl,
    temporalNamespace: temporal.namespace,
    dataDir: replicasFolder,
    keysDir: secrets,
    replicaLagMs: 1_000,
    adminPassword: readFileSync(join(secrets, 'admin-password'), 'utf8'),
  });
  process.env.VAREON_TEST_SERVERS = JSON.stringify(servers);
  const ok = shared.length === 0 || (await jest(shared));
  await closing.stop();
  started.splice(started.indexOf(closing as Running), 1);
  return (!replicasToo || (await jest(['test/replicas.test.ts']))) && ok;
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}

function jest(paths: readonly string[]): Promise<boolean> {
  const child = spawn(process.execPath, [join(repository, 'node_modules/jest/bin/jest.js'), ...paths], {
    cwd: repository,
    stdio: 'inherit',
    env: {
      ...process.env,
      NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
    },
  });
  return new Promise((resolve) => child.once('close', (code) => resolve(code === 0)));
}
