import { setTimeout as delay } from 'node:timers/promises';
import type { DeviceJobEnd, DeviceJobWork } from '../../../domain/myntrix/device-jobs.ts';
import type { Processes } from '../../processes/port.ts';
import type { BlobExchange } from '../../storage/port.ts';
import { machineAt } from '../gcode/machine.ts';
import type { DeviceSessions, LiveDevice } from '../sessions/port.ts';
import { sendFile } from './chunks.ts';
import { fetchFile } from './file.ts';
import { flash } from './firmware.ts';
import type { JobFolders } from './left.ts';
import type { Live } from './live.ts';
import { beginNote, type Note } from './note.ts';
import type { JobContext } from './port.ts';
import { runProgram } from './program.ts';
import { storeProgram } from './store.ts';

/** How long one that is not to be done yet, for want of a file or a connection, waits to try again. */
const AGAIN_MS = 100;
const FETCH_AGAIN_MS = 1_000;

export interface CarryOutDeps {
  folders: JobFolders;
  sessions: DeviceSessions;
  processes: Pick<Processes, 'run'>;
  blobs: Pick<BlobExchange, 'get'>;
  /** Where the host's own user finds flashers. */
  PATH: string;
  /** Told what an attempt does now, and why when that needs saying. */
  change: (job: Live, activity: Live['activity'], reason?: string) => void;
}

/** Carries attempts out: fetches the file, waits for the device, holds it and does the work, noted on disk. */
export function createCarryOut({ folders, sessions, processes, blobs, PATH, change }: CarryOutDeps) {
  async function carryOut(job: Live): Promise<DeviceJobEnd> {
    const { order } = job;
    const folder = folders.of(order.id);
    const isCancelled = (): boolean => job.wanted === 'cancel';
    const cancelled = { kind: 'cancelled' as const, progress: job.progress };
    let file: string | undefined;
    while (file === undefined) {
      if (isCancelled()) return cancelled;
      file = await fetchFile(folder, order, blobs, job.cancelling.signal).catch((error: unknown) => {
        change(
          job,
          'connecting',
          `the file cannot be fetched: ${error instanceof Error ? error.message : error}`,
        );
        return undefined;
      });
      if (file === undefined) await delay(FETCH_AGAIN_MS);
    }
    let note: Note | undefined;
    const context: JobContext = {
      order,
      file,
      wanted: () => job.wanted,
      onWanted: (listener) => void job.onWanted.push(listener),
      cancelled: job.cancelling.signal,
      progress(progress) {
        job.progress = progress;
        note?.progress(progress);
      },
      activity: (now, reason) => change(job, now, reason),
      say(text) {
        job.output += text;
      },
    };
    const started = (): void => {
      note = beginNote(folder, order.attempt, job.progress);
      change(job, 'running');
    };
    const { work } = order;
    const noted = (end: DeviceJobEnd): DeviceJobEnd => {
      note?.end(end);
      return end;
    };
    if (work.kind === 'firmware') {
      started();
      return noted(await flash(context, { sessions, processes, PATH }, work.flasher).catch(failure(job)));
    }
    for (;;) {
      const device = await connected(job);
      if (!device) return cancelled;
      let hasBegun = false;
      try {
        return await device.hold(
          `the job "${order.file.name}"`,
          async (protocol) => {
            hasBegun = true;
            started();
            if (work.kind === 'store')
              return noted(await storeProgram(context, protocol, work.name).catch(failure(job)));
            if (work.kind === 'file')
              return noted(await sendFile(context, protocol, work).catch(failure(job)));
            return noted(await runProgram(context, protocol, work).catch(stopped(job, file)));
          },
          { commands: commandsBeside(work) },
        );
      } catch (error) {
        if (hasBegun) throw error;
        change(job, 'connecting', error instanceof Error ? error.message : String(error)); // somebody else has it
        await delay(AGAIN_MS);
      }
    }
  }

  /** Until the device is there, or the job is cancelled. */
  async function connected(job: Live): Promise<LiveDevice | undefined> {
    for (;;) {
      if (job.wanted === 'cancel') return undefined;
      const device = sessions.of(job.order.deviceId);
      if (device) return device;
      change(job, 'connecting', 'the device is not connected');
      await delay(AGAIN_MS);
    }
  }

  return carryOut;
}

/** What is said while a file is open on the card would be a line of that file. */
const commandsBeside = ({ kind }: DeviceJobWork): 'refused' | 'between' =>
  kind === 'store' ? 'refused' : 'between';

const failure =
  (job: Live) =>
  (error: unknown): DeviceJobEnd => ({
    kind: 'failed',
    progress: job.progress,
    reason: error instanceof Error ? error.message : String(error),
  });

const stopped =
  (job: Live, file: string) =>
  async (error: unknown): Promise<DeviceJobEnd> => ({
    kind: 'held',
    progress: job.progress,
    reason: error instanceof Error ? error.message : String(error),
    machine: await machineAt(file, job.progress.acknowledgedLine),
  });
