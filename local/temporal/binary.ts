import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runOnce } from '../child/run-once.ts';
import { StartError } from '../events.ts';
import { buildTemporal } from './build.ts';
import { downloadTemporal } from './download.ts';

/** The newest version that `go install` builds; the official release of the same number is the same server. */
export const TEMPORAL_VERSION = '1.5.1';

export interface TemporalSearch {
  env: Record<string, string | undefined>;
  /** Where releases are downloaded; the official site unless a test says otherwise. */
  releases?: string;
  progress(text: string): void;
  signal: AbortSignal;
}

/** A way to get the binary: its path, or why it is not to be had that way. */
export type Found = { path: string } | { problem: string };

/**
 * Finds Temporal's CLI, getting it when it is not there. TEMPORAL_CLI_PATH is taken at its word: a path that
 * does not work is an error, not a reason to look further.
 * @throws StartError naming everything that was tried.
 */
export async function findTemporal(search: TemporalSearch): Promise<string> {
  const given = search.env['TEMPORAL_CLI_PATH'];
  if (given) {
    const problem = await tryRun(given);
    if (problem) throw new StartError(`TEMPORAL_CLI_PATH=${given} is not Temporal's CLI: ${problem}`);
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
  const base = env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache');
  return join(base, 'vareon', 'temporal', TEMPORAL_VERSION);
}

async function onPath(env: TemporalSearch['env']): Promise<Found> {
  const path = which('temporal', env);
  return path ? check(path) : { problem: 'not there' };
}

/** The first executable file of that name on PATH. */
export function which(name: string, env: TemporalSearch['env']): string | undefined {
  const folders = (env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // not there, or not for us
  }
}

export async function check(path: string): Promise<Found> {
  if (!statSync(path, { throwIfNoEntry: false })) return { problem: 'not there' };
  const problem = await tryRun(path);
  return problem ? { problem: `${path} ${problem}` } : { path };
}

/** Why a file is not Temporal's CLI with its dev server; undefined when it is. */
async function tryRun(path: string): Promise<string | undefined> {
  const { code, output } = await runOnce(path, ['--version'], { timeoutMs: 20_000 });
  if (code !== 0) return `does not run (${output.trim().split('\n').at(-1)})`;
  if (!/^temporal version .*Server/m.test(output)) return `answers "${output.trim().slice(0, 80)}"`;
  return undefined;
}
