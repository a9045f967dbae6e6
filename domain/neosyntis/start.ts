import { PLATFORM_QUEUE } from '../names.ts';
import type { Json } from '../wire.ts';
import type { Document } from './dsl.ts';
import type { RerunFrom } from './reuse.ts';
import type { RunTrigger } from './runs.ts';

/** What starting a run's workflow needs. */
export interface RunIntent {
  workflowId: string;
  version: number;
  document: Document;
  input: Json;
  name: string;
  /** What began it; by hand when there is none. */
  trigger?: RunTrigger | null;
  /** The run whose outcomes count until that step. */
  rerun?: { runId: string; from: RerunFrom };
  /** Whether it begins paused. */
  isPaused?: boolean;
  /** As RunInput has it. */
  legTasks?: number;
}

type StartedWith = Omit<RunIntent, 'name' | 'trigger'> & { trigger?: RunTrigger };

/** How every run's workflow is started, by whomever. Starting twice is safe: the id is the row's. */
export function runStart(runId: string, { name, trigger, ...intent }: RunIntent) {
  return {
    workflowId: runId,
    taskQueue: PLATFORM_QUEUE,
    args: [{ ...intent, ...(trigger ? { trigger } : {}) }] as [StartedWith],
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    staticSummary: name,
  } as const;
}
