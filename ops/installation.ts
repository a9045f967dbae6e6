import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { openLogFile } from '../local/child/log-file.ts';
import type { PartName } from '../local/events.ts';
import { halfRestored, isHalfRestored } from '../local/half-restored.ts';
import { endLeftovers } from '../local/leftovers.ts';
import { lockFolder } from '../local/lock.ts';
import { createPartList } from '../local/part-list.ts';
import { runningDatabaseUrl } from '../local/postgres/running.ts';
import { prepareFolders } from '../local/stack.ts';
import { startDatabase } from '../local/start-parts.ts';
import { createStateFile } from '../local/state.ts';
import { Problem } from './problem.ts';

/** A data folder that this process may work with. */
export interface Installation {
  /** The platform runs in it, started by another process. */
  isRunning: boolean;
  databaseUrl: string;
  /** Gives the folder back, and stops the database if it was started for this. */
  close(): Promise<void>;
}

const READY_WITHIN_MS = 30_000;

/** The installation in the data folder, running or stopped. @throws Problem when there is none */
export async function openInstallation(config: Config): Promise<Installation> {
  const { dataDir } = config;
  if (!existsSync(dataDir))
    throw new Problem(`There is nothing to back up: the data folder ${dataDir} does not exist.`);
  if (isHalfRestored(dataDir)) throw new Problem(`${halfRestored(dataDir)}.`);
  if (!config.DATABASE_URL && !existsSync(join(dataDir, 'postgres', 'cluster')))
    throw new Problem(`There is no database in ${dataDir}: set DATABASE_URL as the platform has it.`);
  const lock = lockFolder(dataDir);
  if (!lock) return running(config);
  return withDatabase(config, lock);
}

async function running(config: Config): Promise<Installation> {
  const close = async () => {};
  for (const deadline = Date.now() + READY_WITHIN_MS; Date.now() < deadline; ) {
    const databaseUrl = config.DATABASE_URL ?? runningDatabaseUrl(config.dataDir);
    if (databaseUrl) return { isRunning: true, databaseUrl, close };
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Problem(
    `The platform runs in ${config.dataDir}, but its database did not serve within ${READY_WITHIN_MS / 1000} s.`,
  );
}

/** Starts the embedded database if there is to be one; the lock goes when it is closed. */
export async function withDatabase(config: Config, lock: { release(): void }): Promise<Installation> {
  const { dataDir } = config;
  const report = () => {};
  await endLeftovers(dataDir, report);
  prepareFolders(dataDir);
  const state = createStateFile(dataDir);
  const openLog = (name: PartName) => openLogFile(join(dataDir, 'logs', `${name}.log`));
  const parts = createPartList({ report, state, openLog });
  const close = async () => {
    await parts.stop();
    state.remove();
    lock.release();
  };
  try {
    const [databaseUrl] = await parts.all([startDatabase({ config, parts, report }, new Set())]);
    return { isRunning: false, databaseUrl, close };
  } catch (error) {
    await close();
    throw error;
  }
}
