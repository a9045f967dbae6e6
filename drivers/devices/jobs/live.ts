import type {
  DeviceJobEnd,
  DeviceJobOrder,
  DeviceJobProgress,
  DeviceJobReport,
  DeviceJobWanted,
} from '../../../domain/myntrix/device-jobs.ts';

/** Output of one report at most. */
const OUTPUT_PIECE = 8_000;

/** An attempt that is under way. */
export interface Live {
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

/** How it is now, with the output that was not told yet. */
export function reportOf(job: Live): DeviceJobReport {
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
