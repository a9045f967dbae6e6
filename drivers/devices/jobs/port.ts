import type {
  DeviceJobEnd,
  DeviceJobLook,
  DeviceJobOrder,
  DeviceJobProgress,
  DeviceJobReport,
  DeviceJobWanted,
} from '../../../domain/myntrix/device-jobs.ts';
import type { Attempts } from '../../workflows/attempts.ts';

/**
 * Jobs of a host's devices: programs, files and firmware. A job goes on while nobody follows it. How far it is stands
 * beside it on disk, so that the next life of the host knows it.
 */
export interface DeviceJobs {
  /** Who follows jobs, for the next life of the host. */
  readonly attempts: Attempts;
  /**
   * Begins an attempt, or goes on following it; one that an earlier life of the host had begun is not begun again.
   * `signal` only ends the following.
   * @throws StaleOrder for an attempt before the newest one known
   */
  follow(order: DeviceJobOrder, signal: AbortSignal): Promise<DeviceJobEnd>;
  /** What is known of an attempt. */
  look(order: DeviceJobOrder): Promise<DeviceJobLook>;
  /** Says what people want of it now. One that is not under way here, or is over, hears nothing. */
  steer(id: string, attempt: number, wanted: DeviceJobWanted): void;
  /** Sends the safe sequence of a job that is not under way. */
  abort(order: DeviceJobOrder): Promise<{ sent: boolean; reason?: string }>;
  /** Of the jobs that are under way. */
  reports(): DeviceJobReport[];
  /** Calls back when one changes in more than its progress. @returns what ends that. */
  onChange(listener: (report: DeviceJobReport) => void): () => void;
}

/** What the work of an attempt has to do with. */
export interface JobContext {
  readonly order: DeviceJobOrder;
  /** The whole file, checked. */
  readonly file: string;
  wanted(): DeviceJobWanted;
  /** Calls back when something else is wanted. */
  onWanted(listener: () => void): void;
  /** Aborts when the job is to be cancelled, for work that cannot end in another way. */
  readonly cancelled: AbortSignal;
  /** Where it is; kept on disk at once. */
  progress(progress: DeviceJobProgress): void;
  /** What it does, and why when that needs saying. */
  activity(now: DeviceJobReport['activity'], reason?: string): void;
  /** Adds to the job's log. */
  say(text: string): void;
}
