import { PLATFORM_QUEUE } from '../names.ts';
import type { Json } from '../wire.ts';
import type { Document } from './dsl.ts';
import type { RunTrigger } from './runs.ts';
import { turnLimitMs } from './turn.ts';

/** What starting a run's workflow needs. */
export interface RunIntent {
  workflowId: string;
  version: number;
  document: Document;
  input: Json;
  name: string;
  /** What began it; by hand when there is none. */
  trigger?: RunTrigger | null;
}

type StartedWith = Omit<RunIntent, 'name' | 'trigger'> & { trigger?: RunTrigger };

/** How every run's workflow is started, by whomever. Starting twice is safe: the id is the row's. */
export function runStart(runId: string, { name, trigger, ...intent }: RunIntent) {
  return {
    workflowId: runId,
    taskQueue: PLATFORM_QUEUE,
    args: [{ ...intent, ...(trigger ? { trigger } : {}) }] as [StartedWith],
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    workflowTaskTimeout: turnLimitMs(intent.document),
    staticSummary: name,
  } as const;
}
