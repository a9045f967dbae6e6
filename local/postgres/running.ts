import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATABASE, DATABASE_USER } from './cluster.ts';

/** The URL of the database that another process runs in this data folder; nothing while it does not serve. */
export function runningDatabaseUrl(dataDir: string): string | undefined {
  try {
    const lines = readFileSync(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n');
    if (lines[7]?.trim() !== 'ready') return undefined;
    const password = readFileSync(join(dataDir, 'keys', 'postgres.password'), 'utf8').trim();
    return `postgres://${DATABASE_USER}:${password}@127.0.0.1:${Number(lines[3])}/${DATABASE}`;
  } catch {
    return undefined; // it does not run
  }
}
