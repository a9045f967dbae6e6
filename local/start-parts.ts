import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { readKeys } from '../keys.ts';
import { firstAdminPassword } from './admin-password.ts';
import { apiUrlOf } from './api-url.ts';
import { prepareBundle } from './bundle.ts';
import { cacheFolder } from './cache-folder.ts';
import { boundToUs } from './child/parent-death.ts';
import type { PartSpec } from './child/supervise.ts';
import { childEnvironments, type Places } from './environment.ts';
import type { Report } from './events.ts';
import { type EntryPoints, nodePart } from './node-parts.ts';
import type { PartList } from './part-list.ts';
import { freePort } from './ports.ts';
import { prepareCluster } from './postgres/cluster.ts';
import { databaseUrl, POSTGRES_STOP, postgresPart } from './postgres/part.ts';
import { findTemporal } from './temporal/binary.ts';
import { TEMPORAL_STOP, temporalPart } from './temporal/part.ts';

export interface StartContext {
  /** The repository. */
  root: string;
  entryPoints: EntryPoints;
  config: Config;
  env: Record<string, string | undefined>;
  parts: PartList;
  report: Report;
}

export interface Started {
  places: Places;
  /** The generated password of the first administrator, when it is to be shown now. */
  adminPassword: string | undefined;
  passwordShown(): void;
}

/** Starts the parts: what all others need first, side by side, then the API, then the workers. */
export async function startParts(context: StartContext): Promise<Started> {
  const { config, parts } = context;
  const taken = new Set([config.VAREON_PORT, config.TEMPORAL_UI_PORT]);
  const [database, temporal, workflowBundle] = await parts.all([
    startDatabase(context, taken),
    startTemporal(context, taken),
    bundle(context),
  ]);
  const busPort = config.BUS_URL ? undefined : await freePort(taken);
  const busUrl = config.BUS_URL ?? `mqtt://127.0.0.1:${busPort}`;
  const places = {
    databaseUrl: database,
    ...temporal,
    busUrl,
    busPort,
    workflowBundle,
    apiUrl: apiUrlOf(config),
  };
  return { places, ...(await startNodeParts(context, places)) };
}

/** Starts PostgreSQL unless the settings name a server. @returns its URL */
export async function startDatabase(
  { config, parts, report }: Pick<StartContext, 'config' | 'parts' | 'report'>,
  taken: Set<number>,
): Promise<string> {
  if (config.DATABASE_URL) return config.DATABASE_URL;
  const cluster = await prepareCluster({ dataDir: config.dataDir, report, signal: parts.signal });
  const port = await freePort(taken);
  await parts.start(postgresPart(cluster, port, await boundToUs(POSTGRES_STOP))).ready;
  return databaseUrl(cluster, port);
}

type TemporalPlaces = Pick<Places, 'temporalAddress' | 'temporalUiUrl'>;

async function startTemporal(context: StartContext, taken: Set<number>): Promise<TemporalPlaces> {
  const { config, env, parts, report } = context;
  if (config.TEMPORAL_ADDRESS)
    return { temporalAddress: config.TEMPORAL_ADDRESS, temporalUiUrl: config.TEMPORAL_UI_URL };
  const binary = await findTemporal({
    env,
    signal: parts.signal,
    progress: (text) => report({ type: 'progress', part: 'temporal', text }),
  });
  const bound = await boundToUs(TEMPORAL_STOP);
  const [port, httpPort] = [await freePort(taken), await freePort(taken)];
  const { dataDir, TEMPORAL_NAMESPACE: namespace, TEMPORAL_UI_PORT: uiPort } = config;
  await parts.start(temporalPart({ binary, bound, dataDir, namespace, port, httpPort, uiPort, env })).ready;
  return { temporalAddress: `127.0.0.1:${port}`, temporalUiUrl: `http://127.0.0.1:${uiPort}` };
}

async function bundle({ root, entryPoints, config, env, parts, report }: StartContext): Promise<string> {
  const started = Date.now();
  const file = await prepareBundle({
    root,
    entryPoint: entryPoints.workflows,
    cacheDir: cacheFolder(root, config.dataDir),
    env,
    sealsFailures: config.VAREON_PAYLOAD_CODEC === 'on',
    signal: parts.signal,
    onBuild: () => report({ type: 'progress', part: 'bundle', text: 'bundling the workflows' }),
  });
  report({ type: 'up', part: 'bundle', ms: Date.now() - started });
  return file;
}

async function startNodeParts(context: StartContext, places: Places) {
  const { root, entryPoints, config, env, parts, report } = context;
  const compileCache = join(cacheFolder(root, config.dataDir), 'compile');
  const keys = readKeys(config, { make: !config.VAREON_KEYS_DIR });
  const children = childEnvironments({ env, config, keys, places, compileCache });
  mkdirSync(children.host.VAREON_DATA_DIR, { recursive: true, mode: 0o700 });
  const generated = config.VAREON_ADMIN_PASSWORD ? undefined : firstAdminPassword(config.dataDir);
  // Only until there is an administrator: later starts of the API need not know it.
  let passwordEnv: { VAREON_ADMIN_PASSWORD?: string | undefined } = {
    VAREON_ADMIN_PASSWORD: generated?.password ?? config.VAREON_ADMIN_PASSWORD,
  };
  const run = (name: 'api' | 'platform' | 'host', childEnv: () => ReturnType<PartSpec['command']>['env']) =>
    parts.start(nodePart({ name, root, entryPoint: entryPoints[name], env: childEnv, report })).ready;
  const [{ adminCreated }] = await parts.all([run('api', () => ({ ...children.api, ...passwordEnv }))]);
  passwordEnv = {};
  await parts.all([run('platform', () => children.platform), run('host', () => children.host)]);
  return {
    adminPassword: generated?.toShow(adminCreated === true),
    passwordShown: () => generated?.hasBeenShown(),
  };
}
