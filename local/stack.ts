import { chmodSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfig, withSecrets } from '../config.ts';
import { apiUrlOf } from './api-url.ts';
import { checkPorts } from './check-ports.ts';
import { checkServers } from './check-servers.ts';
import { openLogFile } from './child/log-file.ts';
import type { Part } from './child/supervise.ts';
import { type PartName, type Report, StartError } from './events.ts';
import { halfRestored, isHalfRestored } from './half-restored.ts';
import { endLeftovers } from './leftovers.ts';
import { lockFolder } from './lock.ts';
import { type EntryPoints, entryPoints } from './node-parts.ts';
import { createPartList } from './part-list.ts';
import { startParts } from './start-parts.ts';
import { createStateFile, readState, type StackState } from './state.ts';

export interface StackOptions {
  /** The settings (config.ts); `npm start` gives the process's environment. */
  env: Record<string, string | undefined>;
  /** Told about progress, restarts and warnings. */
  report?: Report;
  /** Gives up a start that is under way; it does nothing once the stack is ready. */
  signal?: AbortSignal;
  /** Kills everything at once, at any time. */
  force?: AbortSignal;
  /** Instead of the product's own: what a benchmark adds to them. */
  entryPoints?: Partial<EntryPoints>;
}

export interface Stack {
  apiUrl: string;
  temporalAddress: string;
  temporalUiUrl: string | undefined;
  databaseUrl: string;
  busUrl: string;
  dataDir: string;
  /** What a person needs to know, by label. */
  addresses: Record<string, string>;
  /** The first administrator's generated password, until `passwordShown` was called once. */
  adminPassword: string | undefined;
  passwordShown(): void;
  /** One running part: its pid, `kill(signal)` and `nextUp()`. @throws when it runs elsewhere. */
  part(name: PartName): Part;
  /** Stops everything, within 10 s. */
  close(): Promise<void>;
}

/** Another process has the data folder. */
export class AlreadyRuns extends Error {
  readonly state: StackState | undefined;
  constructor(dataDir: string) {
    super(`Vareon runs already with the data folder ${dataDir}`);
    this.name = 'AlreadyRuns';
    this.state = readState(dataDir);
  }
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Starts everything that the settings do not say is elsewhere, and keeps it running.
 * @throws ConfigError, AlreadyRuns, or StartError with one clear reason; nothing is left running then.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { report = () => {}, signal, force } = options;
  const env = withSecrets(options.env); // of the children some get a secret of this stack's instead
  const config = readConfig(env);
  const { dataDir } = config;
  prepareFolders(dataDir);
  const lock = lockFolder(dataDir);
  if (!lock) throw new AlreadyRuns(dataDir);
  if (isHalfRestored(dataDir)) {
    lock.release();
    throw new StartError(halfRestored(dataDir));
  }
  await endLeftovers(dataDir, report);
  const state = createStateFile(dataDir);
  const openLog = (name: PartName) => openLogFile(join(dataDir, 'logs', `${name}.log`));
  const parts = createPartList({ report, state, openLog });
  const giveUp = () => parts.giveUp(signal?.reason);
  signal?.addEventListener('abort', giveUp, { once: true });
  force?.addEventListener('abort', () => parts.kill(), { once: true });
  async function close(): Promise<void> {
    await parts.stop();
    state.remove();
    lock?.release();
  }
  try {
    signal?.throwIfAborted();
    await checkPorts(config);
    await checkServers(config);
    const { places, ...admin } = await startParts({
      ...{ root, config, env, parts, report },
      entryPoints: { ...entryPoints, ...options.entryPoints },
    });
    const apiUrl = apiUrlOf(config);
    const addresses = addressesOf(apiUrl, places.temporalUiUrl, dataDir);
    state.ready(addresses);
    return { ...places, ...admin, apiUrl, addresses, dataDir, part: parts.get, close };
  } catch (error) {
    await close();
    throw error;
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

/** Makes what a data folder consists of. */
export function prepareFolders(dataDir: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  chmodSync(dataDir, 0o700);
  for (const name of ['keys', 'logs', 'temporal', 'hosts'])
    mkdirSync(join(dataDir, name), { recursive: true, mode: 0o700 });
}

/** The lines of the ready block. */
const addressesOf = (apiUrl: string, temporalUiUrl: string | undefined, dataDir: string) => ({
  API: apiUrl,
  'API docs': `${apiUrl}/docs`,
  ...(temporalUiUrl ? { 'Temporal UI': temporalUiUrl } : {}),
  'Data folder': dataDir,
});
