import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type DeviceJobEnd,
  type DeviceJobLook,
  type DeviceJobOrder,
  type DeviceJobReport,
  noProgress,
} from '../../../domain/myntrix/device-jobs.ts';
import { createAttempts } from '../../workflows/attempts.ts';
import { StaleOrder } from '../../workflows/stale-order.ts';
import type { DeviceSessions, LiveDevice } from '../sessions/port.ts';
import { type CarryOutDeps, createCarryOut } from './carry-out.ts';
import { createJobFolders } from './left.ts';
import { type Live, reportOf } from './live.ts';
import type { DeviceJobs } from './port.ts';
import { sendAll, sequencesFor } from './sequences.ts';

export interface DeviceJobsOptions extends Omit<CarryOutDeps, 'folders' | 'change'> {
  /** The host's own data folder. */
  dataDir: string;
}

/** How long somebody who wants a device made safe waits for its connection. */
const SOON_MS = 30_000;
const LOOK_EVERY_MS = 100;

export function createDeviceJobs({ dataDir, ...deps }: DeviceJobsOptions): DeviceJobs {
  const { sessions } = deps;
  const root = join(dataDir, 'device-jobs');
  const folders = createJobFolders(root);
  const carryOut = createCarryOut({ ...deps, folders, change });
  const live = new Map<string, Live>();
  const listeners = new Set<(report: DeviceJobReport) => void>();

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
      if (work.kind !== 'run') return { sent: false, reason: 'only programs have a safe sequence' };
      const device = await soon(sessions, deviceId);
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

/** A connection that was lost a moment ago is back soon: heaters may be on. */
async function soon(sessions: DeviceSessions, deviceId: string): Promise<LiveDevice | undefined> {
  const until = performance.now() + SOON_MS;
  for (;;) {
    const device = sessions.of(deviceId);
    const isComing = sessions
      .reports()
      .some(({ id, status }) => id === deviceId && status !== 'disconnected');
    if (device || !isComing || performance.now() > until) return device;
    await delay(LOOK_EVERY_MS);
  }
}
