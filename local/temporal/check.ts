import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runOnce } from '../child/run-once.ts';

export interface TemporalSearch {
  env: Record<string, string | undefined>;
  /** Where releases are downloaded; the official site unless a test says otherwise. */
  releases?: string;
  progress(text: string): void;
  signal: AbortSignal;
}

/** A way to get the binary: its path, or why it is not to be had that way. */
export type Found = { path: string } | { problem: string };

/** The first executable file of that name on PATH. */
export function which(name: string, env: TemporalSearch['env']): string | undefined {
  const folders = (env.PATH ?? '').split(delimiter).filter(Boolean);
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

/** Whether a file is Temporal's CLI with its dev server: it is run to see. */
export async function check(path: string): Promise<Found> {
  if (!statSync(path, { throwIfNoEntry: false })) return { problem: 'not there' };
  const { code, output } = await runOnce(path, ['--version'], { timeoutMs: 20_000 });
  if (code !== 0) return { problem: `${path} does not run (${output.trim().split('\n').at(-1)})` };
  if (!/^temporal version .*Server/m.test(output))
    return { problem: `${path} is not Temporal's CLI: it answers "${output.trim().slice(0, 80)}"` };
  return { path };
}
