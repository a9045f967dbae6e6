/** How many days what has ended is kept; 0 is for ever. Deleted is what is older than that. */
export interface RetentionPolicy {
  /** Runs that ended, with their steps, logs and frames; each workflow's latest run stays. */
  runsDays: number;
  /** Output and frames of jobs that ended, whose run itself stays as long as `runsDays` says; lines of devices. */
  logsDays: number;
  /** What `/ws/events` can go back to. */
  eventsDays: number;
  /** The audit log, and what was sent to devices. */
  auditDays: number;
  /** Hours of the machines' metrics; minutes and samples go sooner. */
  metricsDays: number;
  /** Telemetry of series that say nothing else. */
  telemetryDays: number;
  /** How agents, devices and hosts were, for the past of the 3D view. */
  statesDays: number;
}

/** What is pruned, as metrics and log lines call it. */
export type Prunable =
  | 'events'
  | 'audit'
  | 'idempotency_keys'
  | 'frames'
  | 'runs'
  | 'jobs'
  | 'task_runs'
  | 'device_commands'
  | 'device_lines'
  | 'workflows'
  | 'inbox'
  | 'metrics'
  | 'telemetry'
  | 'states'
  | 'uploads';

/** One pass of retention: rows that were deleted, and whether there is more for the next pass. */
export interface Pruned {
  rows: Partial<Record<Prunable, number>>;
  isFinished: boolean;
}
