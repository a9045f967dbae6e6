import { homedir } from 'node:os';
import { join } from 'node:path';
import { StartError } from '../events.ts';
import { buildTemporal } from './build.ts';
import { check, type Found, type TemporalSearch, which } from './check.ts';
import { downloadTemporal } from './download.ts';

/** The newest version that `go install` builds; the official release of the same number is the same server. */
export const TEMPORAL_VERSION = '1.5.1';

/**
 * Finds Temporal's CLI, getting it when it is not there. TEMPORAL_CLI_PATH is taken at its word: a path that
 * does not work is an error, not a reason to look further.
 * @throws StartError naming everything that was tried.
 */
export async function findTemporal(search: TemporalSearch): Promise<string> {
  const given = search.env.TEMPORAL_CLI_PATH;
  if (given) {
    const found = await check(given);
    if ('problem' in found)
      throw new StartError(`TEMPORAL_CLI_PATH=${given} does not work: ${found.problem}`);
    return given;
  }
  const cached = join(cacheFolder(search.env), 'temporal');
  const ways: [string, () => Promise<Found>][] = [
    ['temporal on PATH', () => onPath(search.env)],
    [cached, () => check(cached)],
    ['download', () => downloadTemporal(search, TEMPORAL_VERSION, cached)],
    ['go install', () => buildTemporal(search, TEMPORAL_VERSION, cached)],
  ];
  const problems: string[] = [];
  for (const [name, way] of ways) {
    const found = await way();
    search.signal.throwIfAborted();
    if ('path' in found) return found.path;
    problems.push(`  - ${name}: ${found.problem}`);
  }
  throw new StartError(
    [
      'Temporal cannot be found or fetched. Tried:',
      '  - TEMPORAL_ADDRESS (a server that runs already): not set',
      "  - TEMPORAL_CLI_PATH (the CLI's path): not set",
      ...problems,
      `Install Temporal's CLI ${TEMPORAL_VERSION} or newer (https://docs.temporal.io/cli), or Go 1.24 or newer, and start again.`,
    ].join('\n'),
  );
}

function cacheFolder(env: TemporalSearch['env']): string {
  const base = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  return join(base, 'vareon', 'temporal', TEMPORAL_VERSION);
}

async function onPath(env: TemporalSearch['env']): Promise<Found> {
  const path = which('temporal', env);
  return path ? check(path) : { problem: 'not there' };
}
