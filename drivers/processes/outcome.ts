import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from './error-code.ts';
import type { ProcessResult } from './port.ts';
import { isSafeId } from './spool.ts';

const file = (spools: string, id: string): string => join(spools, id, 'end.json');

/** Keeps beside its output how a process ended, for whoever asks after the host died: whole or not at all. */
export async function writeOutcome(spools: string, id: string, result: ProcessResult): Promise<void> {
  const temporary = `${file(spools, id)}.new`;
  await writeFile(temporary, JSON.stringify(result), { mode: 0o600 });
  await rename(temporary, file(spools, id));
}

export async function readOutcome(spools: string, id: string): Promise<ProcessResult | undefined> {
  if (!isSafeId(id)) return undefined;
  try {
    // Written by writeOutcome() above, in a folder that only the host's user can write to.
    const kept = JSON.parse(await readFile(file(spools, id), 'utf8')) as ProcessResult;
    return { ...kept, startedAt: new Date(kept.startedAt), endedAt: new Date(kept.endedAt) };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
