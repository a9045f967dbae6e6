import { setTimeout as pause } from 'node:timers/promises';
import type { createSealedRows } from '../db/system/sealed-rows.ts';
import { sealedTables } from '../db/system/sealed-rows.ts';
import {
  currentKeyFile,
  hasNextKey,
  keyId,
  makeNextKey,
  olderKeyIds,
  promoteNextKey,
  readKey,
  removeOlderKey,
} from '../drivers/secrets/key-files.ts';

export interface RotationDeps {
  folder: string;
  rows: ReturnType<typeof createSealedRows>;
  tell(line: string): void;
}

/** Whoever sealed with the old key a moment ago is done with writing by then; the database refuses who is later. */
const GRACE_MS = 3_000;
const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/**
 * Puts a new encryption key in the old one's place while the platform runs, and removes the old one once nothing is
 * sealed with it. It can be ended at any line and started again: what is left to do is in the folder and the rows.
 * @returns false when rows are left that nobody can open: their keys stay.
 */
export async function rotateKeys({ folder, rows, tell }: RotationDeps): Promise<boolean> {
  const unfinished = hasNextKey(folder) ? 'next' : olderKeyIds(folder).length > 0 ? 'older' : undefined;
  if (unfinished) tell('going on with a rotation that was interrupted');
  if (unfinished !== 'older') {
    makeNextKey(folder);
    const { from, to } = promoteNextKey(folder);
    tell(`key ${to} seals from now on, ${from} still opens`);
  }
  const currentId = keyId(readKey(currentKeyFile(folder)));
  const broken = new Set(await resealAll(rows, currentId, tell));
  await pause(GRACE_MS);
  let isDone = broken.size === 0;
  for (const id of olderKeyIds(folder)) {
    if (id !== currentId) {
      await rows.retire(id);
      for (const row of await resealAll(rows, currentId, tell)) broken.add(row);
      const left = await rows.sealedWith(id);
      if (left > 0) {
        tell(`key ${id} stays: ${left} rows are sealed with it`);
        isDone = false;
        continue;
      }
    }
    removeOlderKey(folder, id);
    tell(`key ${id} is removed: nothing is sealed with it`);
  }
  for (const row of broken) tell(`${row} cannot be opened with any key that is here`);
  return isDone;
}

async function resealAll(
  rows: RotationDeps['rows'],
  currentId: string,
  tell: (line: string) => void,
): Promise<string[]> {
  const broken: string[] = [];
  for (const sealed of sealedTables) {
    let after: string | undefined = FIRST_ID;
    while (after !== undefined) {
      const batch: Awaited<ReturnType<typeof rows.resealBatch>> = await rows.resealBatch(
        sealed,
        currentId,
        after,
      );
      broken.push(...batch.broken.map((id) => `${sealed.table} ${id}`));
      if (batch.count > 0) tell(`${sealed.table}: ${batch.count} sealed anew`);
      after = batch.next;
    }
  }
  return broken;
}
