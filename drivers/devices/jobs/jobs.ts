import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type DeviceJobEnd,
  type DeviceJobLook,
  type DeviceJobOrder,
  type DeviceJobProgress,
  type DeviceJobReport,
  type DeviceJobWanted,
  noProgress,
} from '../../../domain/myntrix/device-jobs.ts';
import type { Processes } from '../../processes/port.ts';
import type { BlobExchange } from '../../storage/port.ts';
import { createAttempts } from '../../workflows/attempts.ts';
import { StaleOrder } from '../../workflows/stale-order.ts';
import { machineAt } from '../gcode/machine.ts';
import type { DeviceSessions, LiveDevice } from '../sessions/port.ts';
import { sendFile } from './chunks.ts';
import { fetchFile } from './file.ts';
import { flash } from './firmware.ts';
import { createJobFolders } from './left.ts';
import { beginNote, type Note } from './note.ts';
import type { DeviceJobs, JobContext } from './port.ts';
import { runProgram } from './program.ts';
import { sendAll, sequencesFor } from './sequences.ts';
import { storeProgram } from './store.ts';

export interface DeviceJobsOptions {
  /** The host's own data folder. */
  dataDir: string;
  sessions: DeviceSessions;
  processes: Pick<Processes, 'run'>;
  blobs: Pick<BlobExchange, 'get'>;
  /** Where the host's own user finds flashers. */
  PATH: string;
}

/** How long one that is not to be done yet, for want of a file or a connection, waits to try again. */
const AGAIN_MS = 100;
const FETCH_AGAIN_MS = 1_000;
/** Output of one report at most. */
const OUTPUT_PIECE = 8_000;

interface Live {
  order: DeviceJobOrder;
  wanted: DeviceJobWanted;
  activity: DeviceJobReport['activity'];
  reason: string | undefined;
  progress: DeviceJobProgress;
  output: string;
  told: number;
  seq: number;
  cancelling: AbortController;
  onWanted: (() => void)[];
  ended: Promise<DeviceJobEnd>;
}

export function createDeviceJobs({
  dataDir,
  sessions,
  processes,
  blobs,
  PATH,
}: DeviceJobsOptions): DeviceJobs {
  const root = join(dataDir, 'device-jobs');
  const folders = createJobFolders(root);
  const live = new Map<string, Live>();
  const listeners = new Set<(report: DeviceJobReport) => void>();

  function reportOf(job: Live): DeviceJobReport {
    job.seq += 1;
    const from = Buffer.from(job.output).subarray(job.told).toString('utf8').slice(0, OUTPUT_PIECE);
    const output = from === '' ? {} : { output: { offset: job.told, text: from } };
    job.told += Buffer.byteLength(from);
    const { activity, progress, reason } = job;
    const { id, attempt } = job.order;
    return {
      ...{ id, attempt, seq: job.seq, activity, progress },
      ...(reason === undefined ? {} : { reason: reason.slice(0, 2_000) }),
      ...output,
    };
  }

  function change(job: Live, activity: Live['activity'], reason?: string): void {
    if (job.activity === activity && job.reason === reason) return;
    Object.assign(job, { activity, reason });
    const report = reportOf(job);
    for (const tell of listeners) tell(report);
  }

  function begin(order: DeviceJobOrder): Live {
    folders.prune((id) => live.has(id));
    const job: Live = {
      order,
      wanted: order.wanted,
      activity: 'connecting',
      reason: undefined,
      progress: { ...noProgress, acknowledgedLine: order.work.kind === 'run' ? order.work.fromLine - 1 : 0 },
      output: '',
      told: 0,
      seq: Date.now() * 1_000, // above what an earlier life has said
      cancelling: new AbortController(),
      onWanted: [],
      ended: Promise.resolve({ kind: 'cancelled', progress: noProgress }), // until the next line
    };
    live.set(order.id, job);
    job.ended = carryOut(job)
      .catch((error: unknown): DeviceJobEnd => {
        const reason = error instanceof Error ? error.message : String(error);
        return { kind: 'failed', progress: job.progress, reason };
      })
      .finally(() => live.get(order.id) === job && live.delete(order.id));
    return job;
  }

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
        return await device.hold(`the job "${order.file.name}"`, async (protocol) => {
          hasBegun = true;
          started();
          if (work.kind === 'store')
            return noted(await storeProgram(context, protocol, work.name).catch(failure(job)));
          if (work.kind === 'file') return noted(await sendFile(context, protocol, work).catch(failure(job)));
          return noted(await runProgram(context, protocol, work).catch(stopped(job, file)));
        });
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

  return {
    attempts: createAttempts(root),
    async follow(order, signal) {
      let job = live.get(order.id);
      if (job && job.order.attempt > order.attempt)
        throw new StaleOrder(order.id, order.attempt, job.order.attempt);
      if (job && job.order.attempt < order.attempt) {
        await job.ended; // it ended for the platform, which then wants another
        job = undefined;
      }
      if (!job) {
        const left = await folders.leftOf(order);
        if (left) return left;
        job = live.get(order.id) ?? begin(order);
      }
      this.steer(order.id, order.attempt, order.wanted);
      const looking = new Promise<never>((_, reject) => {
        const end = () => reject(signal.reason);
        if (signal.aborted) end();
        else signal.addEventListener('abort', end, { once: true });
      });
      return Promise.race([job.ended, looking]);
    },
    async look(order) {
      const job = live.get(order.id);
      if (job?.order.attempt === order.attempt) return { kind: 'running' };
      return ((await folders.leftOf(order)) ?? { kind: 'unbegun' }) satisfies DeviceJobLook;
    },
    steer(id, attempt, wanted) {
      const job = live.get(id);
      if (job?.order.attempt !== attempt || job.wanted === wanted || job.wanted === 'cancel') return;
      job.wanted = wanted;
      if (wanted === 'cancel') job.cancelling.abort(new Error('the job is cancelled'));
      for (const tell of job.onWanted) tell();
    },
    async abort({ deviceId, sequences, work, file }) {
      const device = sessions.of(deviceId);
      if (work.kind !== 'run') return { sent: false, reason: 'only programs have a safe sequence' };
      if (!device) return { sent: false, reason: 'the device is not connected' };
      try {
        return await device.hold(`the end of the job "${file.name}"`, async (protocol) => {
          const problem = await sendAll(protocol, sequencesFor(protocol.name, sequences).cancel);
          return problem === undefined ? { sent: true } : { sent: false, reason: problem };
        });
      } catch (error) {
        return { sent: false, reason: error instanceof Error ? error.message : String(error) };
      }
    },
    reports: () => [...live.values()].map(reportOf),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
