import type { Json } from '../wire.ts';
import type { RunProblem, RunStatus, StepStatus } from './runs.ts';

/** Where a step's process ran, how long it waited there for its turn, and how much it printed. */
export interface StepLogs {
  host?: string;
  queueMs?: number;
  stdoutBytes?: number;
  stderrBytes?: number;
}

/** Names of values that are kept whole as blobs of the run, as they are too large to be beside the step. */
export interface StepBlobs {
  inputBlob?: string;
  outputBlob?: string;
  contextBlob?: string;
}

/** A step as it is after a change; its input comes with the first change of an attempt, its output with the last. */
export interface StepChange extends StepLogs, StepBlobs {
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
  /** Of the time since it was started, as far as it is over. */
  waitMs?: number;
  /** Where the run went on, when the step decided it. */
  directive?: string;
  /** The new `$context`, when it exported one: a list of one value. */
  context?: [Json];
  /** Its outcome is that of an earlier run. */
  reused?: true;
  /** Of a `listen`: what its events were correlated by. */
  correlationKeys?: { [name: string]: Json };
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
  /** Temporal's id of the execution that the one which sends this continues. */
  continues?: string;
}

export type Change = { step: StepChange } | { run: RunChange };
