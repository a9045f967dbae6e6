import type { StoredEvent } from '../../domain/events.ts';
import type {
  DeviceJobEnd,
  DeviceJobLook,
  DeviceJobProgress,
  DeviceJobReport,
} from '../../domain/myntrix/device-jobs.ts';
import type { Json } from '../../domain/wire.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';
import { appendEvents, type NewEvent } from '../system/events.ts';
import { appendOutput, current, percent, write } from './device-job-write.ts';

export type DeviceJobReportStore = ReturnType<typeof createDeviceJobReports>;

/** The workers' side of devices' jobs: what their workflow and the hosts say of them. */
export function createDeviceJobReports({ em }: Pick<Database, 'em'>) {
  return {
    /** How an attempt ended; what is of another one, or of a job that has ended, changes nothing. */
    settle: (id: string, attempt: number, end: DeviceJobEnd): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const job = await current(tx, id, attempt);
        if (!job) return [];
        const progress = percent(job, end.progress);
        const details = { ...counted(end.progress), ...saidOf(end) };
        const to =
          end.kind === 'held'
            ? {
                state: job.wanted === 'cancel' ? ('aborting' as const) : ('held' as const),
                status: 'waiting',
                progress,
                details,
              }
            : {
                state: end.kind,
                status: end.kind,
                progress: end.kind === 'completed' ? 100 : progress,
                details,
              };
        const news = await write(tx, job, to);
        if (end.kind !== 'held' && end.output !== undefined)
          await appendOutput(tx, job, { offset: 0, text: end.output });
        return appendEvents(tx, news);
      }),

    /** Its host does not answer any more: what it has done since is not known. */
    lose: (id: string, attempt: number, reason: string): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const job = await current(tx, id, attempt);
        if (job?.state !== 'running') return [];
        const { progress } = job;
        return appendEvents(
          tx,
          await write(tx, job, { state: 'lost', status: 'waiting', progress, details: { reason } }),
        );
      }),

    /** What its host says of it after all. */
    async found(id: string, attempt: number, look: DeviceJobLook): Promise<StoredEvent[]> {
      if (look.kind !== 'running' && look.kind !== 'unbegun') return this.settle(id, attempt, look);
      return em.fork().transactional(async (tx) => {
        const job = await current(tx, id, attempt);
        if (job?.state !== 'lost') return [];
        const { progress } = job;
        return appendEvents(
          tx,
          await write(tx, job, { state: 'running', status: 'running', progress, details: { reason: null } }),
        );
      });
    },

    /** Of a host that was deleted nothing more will be known. */
    giveUp: (id: string, attempt: number, reason: string): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const job = await current(tx, id, attempt);
        if (!job) return [];
        const state = job.wanted === 'cancel' ? 'aborting' : 'held';
        const { progress } = job;
        return appendEvents(
          tx,
          await write(tx, job, { state, status: 'waiting', progress, details: { reason } }),
        );
      }),

    /** A job that was cancelled while it waited; `safe` says whether its safe sequence was sent. */
    aborted: (
      id: string,
      attempt: number,
      safe: { sent: boolean; reason?: string },
    ): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const job = await current(tx, id, attempt);
        if (job?.state !== 'aborting') return [];
        const { progress } = job;
        const details = { safe_sequence: safe };
        return appendEvents(
          tx,
          await write(tx, job, { state: 'cancelled', status: 'cancelled', progress, details }),
        );
      }),

    /** Notes how far a host's jobs are. What is of another attempt, or came after something newer, changes nothing. */
    apply: (host: string, reports: readonly DeviceJobReport[]): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const events: NewEvent[] = [];
        for (const report of reports) {
          const [isNews] = await rows(
            tx,
            `update device_jobs set reported_seq = ?::bigint, updated_at = now()
             where id = ? and host = ? and attempt = ? and state = 'running' and reported_seq < ?::bigint returning id`,
            [report.seq, report.id, host, report.attempt, report.seq],
          );
          const job = isNews ? await current(tx, report.id, report.attempt) : undefined;
          if (!job) continue;
          events.push(
            ...(await write(tx, job, {
              state: 'running',
              status: report.activity === 'connecting' ? 'waiting' : report.activity,
              progress: percent(job, report.progress),
              details: { ...counted(report.progress), reason: report.reason ?? null },
            })),
          );
          if (report.output) await appendOutput(tx, job, report.output);
        }
        return appendEvents(tx, events);
      }),
  };
}

const counted = (progress: DeviceJobProgress) => ({
  acknowledged_line: progress.acknowledgedLine,
  acknowledged_lines: progress.acknowledgedLines,
  acknowledged_bytes: progress.acknowledgedBytes,
  sent_lines: progress.sentLines,
});

/** Of how it ended, what the job says. */
function saidOf(end: DeviceJobEnd): { [name: string]: Json } {
  switch (end.kind) {
    case 'completed':
      return { reason: null, result: end.result };
    case 'held':
      return { reason: end.reason, machine: end.machine };
    case 'cancelled':
      return { reason: end.reason ?? null, ...(end.safe === undefined ? {} : { safe_sequence: end.safe }) };
    default:
      return { reason: end.reason };
  }
}
