import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceJobEnd, DeviceJobOrder } from '../../../domain/myntrix/device-jobs.ts';
import { StaleOrder } from '../../workflows/stale-order.ts';
import { machineAt } from '../gcode/machine.ts';
import { fileIn } from './file.ts';
import { readNote } from './note.ts';

/** Jobs that a host remembers. */
const KEPT = 200;

export type JobFolders = ReturnType<typeof createJobFolders>;

/** The folders of a host's jobs: their files, and what an earlier life of the host has left of them. */
export function createJobFolders(root: string) {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const of = (id: string): string => join(root, id);
  return {
    of,

    /**
     * How an attempt ended, which is not under way now; undefined when it was never begun.
     * @throws StaleOrder
     */
    async leftOf({ id, attempt, work }: DeviceJobOrder): Promise<DeviceJobEnd | undefined> {
      const noted = readNote(of(id));
      if (!noted) return undefined;
      if (noted.attempt !== undefined && noted.attempt > attempt)
        throw new StaleOrder(id, attempt, noted.attempt);
      if (noted.attempt !== undefined && noted.attempt < attempt) return undefined;
      if (noted.end) return noted.end;
      const { progress } = noted;
      if (work.kind === 'firmware')
        return {
          kind: 'failed',
          progress,
          reason: 'its host ended while it was written: what firmware the device has now is unknown',
        };
      if (work.kind !== 'run')
        return { kind: 'failed', progress, reason: 'its host ended in the middle of it: begin it anew' };
      return {
        kind: 'held',
        progress,
        reason:
          'its host ended in the middle of it: what was sent after the last acknowledged line may have been done',
        machine: await machineAt(fileIn(of(id)), progress.acknowledgedLine),
      };
    },

    /** Removes the files of jobs that ended, and all of those that ended long ago. @param isLive whether one is under way */
    prune(isLive: (id: string) => boolean): void {
      const known = readdirSync(root).sort().reverse(); // UUIDv7 begin with their time
      for (const [at, id] of known.entries()) {
        const end = isLive(id) ? undefined : readNote(of(id))?.end;
        if (!end) continue;
        if (at >= KEPT) rmSync(of(id), { recursive: true, force: true });
        else if (end.kind !== 'held') rmSync(fileIn(of(id)), { force: true });
      }
    },
  };
}
