import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../config.ts';
import { keptPassword } from './postgres/cluster.ts';
import { databaseUrl, runningPort } from './postgres/part.ts';

/** Entry point of `npm run keys:rotate`: finds the database that `npm start` runs, and rotates its key. */
const config = readConfig(process.env);
const url = config.DATABASE_URL ?? embedded(config.dataDir);
if (url === undefined || !existsSync(config.keysDir)) {
  process.stderr.write(
    `Vareon does not run with the data folder ${config.dataDir}: start it, then rotate; or set DATABASE_URL.\n`,
  );
  process.exitCode = 1;
} else {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const { status } = spawnSync(process.execPath, [join(root, 'workers/rotate-keys.ts')], {
    env: { ...process.env, DATABASE_URL: url, VAREON_DATA_DIR: config.dataDir },
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}

function embedded(dataDir: string): string | undefined {
  const port = runningPort(join(dataDir, 'postgres', 'cluster'));
  const password = keptPassword(dataDir);
  return port === undefined || password === undefined ? undefined : databaseUrl({ password }, port);
}
