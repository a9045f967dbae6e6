/** Types of the specification's lifecycle events (dsl.md, Lifecycle Events) that runs make. */
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

export const lifecycleType = (of: keyof typeof phases, phase: string): string =>
  `io.serverlessworkflow.${of}.${phase}.v1`;

export const lifecycleTypes: readonly string[] = [
  ...phases.workflow.map((phase) => lifecycleType('workflow', phase)),
  ...phases.task.map((phase) => lifecycleType('task', phase)),
];
