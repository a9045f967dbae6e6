import type { Json } from '../wire.ts';
import type { RunProblem, RunStatus, StepStatus } from './runs.ts';

/** Where a step's process ran and how much it printed. */
export interface StepLogs {
  host?: string;
  stdoutBytes?: number;
  stderrBytes?: number;
}

/** A step as it is after a change; its input comes with the first change, its output with the last. */
export interface StepChange extends StepLogs {
  path: string;
  iteration: number[];
  name: string;
  kind: string;
  status: StepStatus;
  attempt: number;
  startedAt?: string;
  endedAt?: string;
  input?: Json;
  output?: Json;
  error?: RunProblem;
  /** What it asks of a person, or asked last. */
  approvalId?: string;
  /** Of what has effects outside of the run: whether having them twice is as having them once. */
  idempotent?: boolean;
}

export interface RunChange {
  status: RunStatus;
  startedAt?: string;
  endedAt?: string;
  output?: Json;
  error?: RunProblem;
}

/**
 * Changes numbered `from`..`to` of one run, in order. Applying the same batch twice, or an older one late,
 * changes nothing: the row remembers the highest number that was applied.
 */
export interface ProjectionBatch {
  runId: string;
  from: number;
  changes: Change[];
  progress: number;
}

export type Change = { step: StepChange } | { run: RunChange };
