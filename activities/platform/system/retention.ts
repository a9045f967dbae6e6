import { Context } from '@temporalio/activity';
import { pruneDeviceCommands } from '../../../db/myntrix/device-commands.ts';
import { pruneDeviceLines } from '../../../db/myntrix/device-lines.ts';
import { pruneDeviceUploads } from '../../../db/myntrix/device-uploads.ts';
import { pruneStates } from '../../../db/myntrix/states.ts';
import { pruneMetrics } from '../../../db/myntrix/system-metrics.ts';
import {
  pruneFrames,
  pruneFramesOfRuns,
  pruneInbox,
  pruneJobs,
  pruneRuns,
  pruneTaskRuns,
  pruneWorkflows,
} from '../../../db/neosyntis/retention.ts';
import { pruneTelemetry } from '../../../db/neosyntis/telemetry-retention.ts';
import type { Database, Sql } from '../../../db/orm.ts';
import {
  type Piece,
  pruneAudit,
  pruneEvents,
  pruneIdempotencyKeys,
  prunePiece,
} from '../../../db/system/retention.ts';
import { metricRetention } from '../../../domain/myntrix/metric-steps.ts';
import type { Prunable, Pruned, RetentionPolicy } from '../../../domain/system/retention.ts';
import type { Logger } from '../../../logs.ts';

export interface RetentionDeps {
  database: Database;
  policy: RetentionPolicy;
  /** Removes what a run kept outside of the database; called again when it failed. */
  removeBlobs?: (runId: string) => Promise<void>;
  /** The same, of an upload. */
  removeUpload?: (uploadId: string) => Promise<void>;
  log: Logger;
}

/** One pass ends here, and the next one goes on. */
const BUDGET_MS = 45_000;

interface Task {
  what: Prunable;
  work: (tx: Sql) => Promise<Piece>;
}

/** Deletes what the policy does not keep, oldest first, in short transactions. Idempotent. */
export function createRetentionActivities({
  database,
  policy,
  removeBlobs,
  removeUpload,
  log,
}: RetentionDeps) {
  const { runsDays, logsDays, eventsDays, auditDays, metricsDays, telemetryDays, statesDays } = policy;
  const when = (days: number, ...tasks: Task[]): Task[] => (days > 0 ? tasks : []);
  const tasks: Task[] = [
    { what: 'idempotency_keys', work: pruneIdempotencyKeys },
    { what: 'inbox', work: pruneInbox },
    { what: 'uploads', work: (tx) => pruneDeviceUploads(tx, runsDays, removeUpload ?? (async () => {})) },
    ...metricRetention(metricsDays).map(
      ({ step, days }): Task => ({ what: 'metrics', work: (tx) => pruneMetrics(tx, step, days) }),
    ),
    { what: 'telemetry', work: (tx) => pruneTelemetry(tx, telemetryDays) },
    ...when(statesDays, { what: 'states', work: (tx) => pruneStates(tx, statesDays) }),
    ...when(eventsDays, { what: 'events', work: (tx) => pruneEvents(tx, eventsDays) }),
    ...when(
      auditDays,
      { what: 'audit', work: (tx) => pruneAudit(tx, auditDays) },
      { what: 'device_commands', work: (tx) => pruneDeviceCommands(tx, auditDays) },
    ),
    ...when(
      logsDays,
      { what: 'frames', work: (tx) => pruneFrames(tx, logsDays) },
      { what: 'device_lines', work: (tx) => pruneDeviceLines(tx, logsDays) },
    ),
    ...when(
      runsDays,
      { what: 'frames', work: (tx) => pruneFramesOfRuns(tx, runsDays) },
      { what: 'runs', work: (tx) => pruneRuns(tx, runsDays, removeBlobs ?? (async () => {})) },
      { what: 'jobs', work: (tx) => pruneJobs(tx, runsDays) },
      { what: 'task_runs', work: (tx) => pruneTaskRuns(tx, runsDays) },
      { what: 'workflows', work: (tx) => pruneWorkflows(tx, runsDays) },
    ),
  ];

  return {
    /** One pass: a piece of each kind in turn, until nothing is left, the time is up or a backup is made. */
    async prune(): Promise<Pruned> {
      const context = Context.current();
      const endsAt = Date.now() + BUDGET_MS;
      const rows: Pruned['rows'] = {};
      let isFinished = true;
      let left = tasks;
      while (left.length > 0) {
        const again: Task[] = [];
        for (const task of left) {
          context.cancellationSignal.throwIfAborted();
          context.heartbeat(rows);
          const piece = Date.now() < endsAt ? await prunePiece(database, task.what, task.work) : undefined;
          if (!piece) isFinished = false;
          if (piece && piece.rows > 0) rows[task.what] = (rows[task.what] ?? 0) + piece.rows;
          if (piece?.more) again.push(task);
        }
        left = isFinished ? again : [];
      }
      if (Object.keys(rows).length > 0) log.info({ rows, isFinished }, 'retention deleted what is not kept');
      return { rows, isFinished };
    },
  };
}

export type RetentionActivities = ReturnType<typeof createRetentionActivities>;
