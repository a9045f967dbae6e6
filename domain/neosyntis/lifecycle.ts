import type { Json } from '../wire.ts';
import type { WorkflowEvent } from './cloud-event.ts';
import type { RunProblem } from './runs.ts';

/** Phases of which the specification has lifecycle events (dsl.md, Lifecycle Events). */
const phases = {
  workflow: [
    'started',
    'suspended',
    'resumed',
    'correlation-started',
    'correlation-completed',
    'cancelled',
    'faulted',
    'completed',
    'status-changed',
  ],
  task: [
    'created',
    'started',
    'suspended',
    'resumed',
    'retried',
    'cancelled',
    'faulted',
    'completed',
    'status-changed',
  ],
} as const;

type Of = keyof typeof phases;
type Phase<O extends Of> = (typeof phases)[O][number];

const lifecycleType = (of: Of, phase: string): string => `io.serverlessworkflow.${of}.${phase}.v1`;

/** All types of lifecycle events. */
export const lifecycleTypes: readonly string[] = [
  ...phases.workflow.map((phase) => lifecycleType('workflow', phase)),
  ...phases.task.map((phase) => lifecycleType('task', phase)),
];

/** The run that lifecycle events are about. */
export interface LifecycleRun {
  id: string;
  /** The document's. */
  name: string;
  namespace: string;
  version: string;
}

/** A run's frame, as far as lifecycle events are about it. */
export interface LifecycleFrame {
  seq: number;
  at: string;
  startedAt: string | null;
  run?: { status: string; error: RunProblem | null };
  step?: {
    path: string;
    iteration: number[];
    kind: string;
    status: string;
    attempt: number;
    error: RunProblem | null;
    correlation_keys?: { [name: string]: Json };
  };
}

/** How things stood before a frame: of the run, and of its steps by `stepKey`. */
export interface LifecycleBefore {
  run: string | undefined;
  steps: Map<string, { status: string; attempt: number }>;
}

export const stepKey = ({ path, iteration }: { path: string; iteration: number[] }): string =>
  `${path} ${iteration.join('.')}`;

/** The specification's words for statuses (dsl.md, Status Phases). */
const words: Readonly<Record<string, string>> = {
  paused: 'suspended',
  failed: 'faulted',
  unknown: 'faulted',
};
const word = (status: string) => words[status] ?? status;

const over = ['completed', 'failed', 'cancelled', 'unknown', 'skipped'];

/** What frames of a run mean as lifecycle events, in their order; `before` is brought forward. */
export function lifecycleEvents(
  run: LifecycleRun,
  frames: readonly LifecycleFrame[],
  before: LifecycleBefore,
): WorkflowEvent[] {
  const name = `${run.name}-${run.id}.${run.namespace}`;
  const outputUri = `/api/neosyntis/runs/${run.id}`;
  return frames.flatMap(({ seq, at, startedAt, run: changed, step }) => {
    const began = startedAt ?? at;
    const made: WorkflowEvent[] = [];
    const make = (of: Of, phase: string, data: { [key: string]: Json }) =>
      made.push({
        specversion: '1.0',
        id: `${run.id}/${seq}/${of}.${phase}`,
        source: outputUri,
        type: lifecycleType(of, phase),
        subject: run.id,
        time: at,
        datacontenttype: 'application/json',
        data,
      });
    const workflow = (phase: Phase<'workflow'>, data: { [key: string]: Json } = {}) =>
      make('workflow', phase, { name, ...data });
    if (changed) {
      const { namespace, version } = run;
      const definition = { name: run.name, namespace, version };
      const phase = runPhase(before.run, changed.status);
      const error = changed.error as Json; // problem details are JSON
      if (phase === 'started') workflow('started', { definition, startedAt: began });
      else if (phase === 'completed') workflow('completed', { completedAt: at, outputUri });
      else if (phase === 'faulted') workflow('faulted', { faultedAt: at, error });
      else if (phase) workflow(phase, { [`${phase}At`]: at });
      if (changed.status !== before.run)
        workflow('status-changed', { updatedAt: at, status: word(changed.status) });
      before.run = changed.status;
    }
    if (step) {
      const known = before.steps.get(stepKey(step));
      const error = step.error as Json; // problem details are JSON
      const more = { completed: { outputUri }, faulted: { error } } as const;
      const task = (phase: Phase<'task'>, data: { [key: string]: Json } = {}) =>
        make('task', phase, { workflow: name, task: step.path, ...data });
      for (const phase of taskPhases(known, step))
        task(phase, {
          [`${phase}At`]: phase === 'created' || phase === 'started' ? began : at,
          ...(phase === 'completed' || phase === 'faulted' ? more[phase] : {}),
        });
      if (step.status !== known?.status) task('status-changed', { updatedAt: at, status: word(step.status) });
      if (step.kind === 'listen' && step.status === 'waiting' && known?.status !== 'waiting')
        workflow('correlation-started', { startedAt: at });
      if (step.kind === 'listen' && step.status === 'completed') {
        const keys = step.correlation_keys;
        workflow('correlation-completed', { completedAt: at, ...(keys ? { correlationKeys: keys } : {}) });
      }
      before.steps.set(stepKey(step), step);
    }
    return made;
  });
}

function runPhase(before: string | undefined, status: string): Phase<'workflow'> | undefined {
  if (status === before) return undefined;
  if (status === 'paused') return 'suspended';
  if (before === 'paused' && (status === 'running' || status === 'waiting')) return 'resumed';
  if (status === 'running') return before === undefined || before === 'pending' ? 'started' : undefined;
  if (status === 'failed') return 'faulted';
  return status === 'completed' || status === 'cancelled' ? status : undefined;
}

function taskPhases(
  before: { status: string; attempt: number } | undefined,
  { status, attempt, kind }: { status: string; attempt: number; kind: string },
): Phase<'task'>[] {
  if (status === 'skipped') return [];
  const found: Phase<'task'>[] = [];
  const isAgain = before !== undefined && (attempt > before.attempt || over.includes(before.status));
  const goesOn = status === 'running' || status === 'waiting';
  if (!before) found.push('created', 'started');
  else if (isAgain) found.push('retried', 'started');
  else if (before.status === 'paused' && goesOn) found.push('resumed');
  else if (before.status === 'waiting' && status === 'running' && kind === 'try') found.push('retried');
  if (status === 'paused') found.push('suspended');
  if (status === 'completed' || status === 'cancelled') found.push(status);
  if (status === 'failed' || status === 'unknown') found.push('faulted');
  return found;
}
