import { type Static, Type } from 'typebox';
import { AnyJson, Id, literals, nullable, Time } from '../wire.ts';

export const runStatuses = [
  'pending',
  'running',
  'waiting',
  'paused',
  'completed',
  'failed',
  'cancelled',
] as const;
export type RunStatus = (typeof runStatuses)[number];

export const stepStatuses = [
  'pending',
  'running',
  'waiting',
  'completed',
  'failed',
  'skipped',
  'cancelled',
  'unknown',
] as const;
export type StepStatus = (typeof stepStatuses)[number];

export const isEnded = (status: RunStatus): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled';

/** Problem details of the Open Workflow Specification (dsl-reference.md, Error). */
export const RunProblem = Type.Object(
  {
    type: Type.String({ examples: ['https://open-workflow-specification.org/dsl/errors/types/runtime'] }),
    status: Type.Integer(),
    title: Type.String(),
    detail: Type.Optional(Type.String()),
    instance: Type.Optional(Type.String({ description: 'JSON pointer to the task in the document' })),
  },
  { $id: 'RunProblem' },
);
export type RunProblem = Static<typeof RunProblem>;

/** What lists and events show of a step. */
export const stepFields = {
  path: Type.String({ description: 'JSON pointer to the task in the document', examples: ['/do/0/measure'] }),
  iteration: Type.Array(Type.Integer(), {
    description: 'index in each loop around the task, outermost first',
  }),
  name: Type.String(),
  kind: Type.String({ description: 'the task’s keyword', examples: ['run'] }),
  status: literals(stepStatuses),
  attempt: Type.Integer(),
  reused: Type.Boolean({ description: 'its outcome is that of the run that this one repeats' }),
  host: nullable(Type.String()),
  started_at: nullable(Time),
  ended_at: nullable(Time),
  error: nullable(RunProblem),
  approval_id: nullable(
    Type.String({ format: 'uuid', description: 'what it asks of a person, or asked last' }),
  ),
  idempotent: nullable(
    Type.Boolean({
      description: 'whether running it twice is as running it once; null: it has no effect outside',
    }),
  ),
};

/** A step as lists and events show it. */
export const StepSummary = Type.Object(stepFields, { $id: 'StepSummary' });
export type StepSummary = Static<typeof StepSummary>;

/** With a step's data; values over 64 KiB are shown by their size and beginning only. */
export const stepData = {
  input: AnyJson,
  output: AnyJson,
  logs: Type.String({ description: 'the last 64 KiB' }),
};

export const Step = Type.Object({ ...stepFields, ...stepData }, { $id: 'Step' });
export type Step = Static<typeof Step>;

/** What began a run, and when it was to begin: the nominal time of a tick, or when the last of its events came. */
export const RunTrigger = Type.Object(
  {
    kind: literals(['manual', 'schedule', 'event']),
    at: Time,
    schedule_id: Type.Optional(Type.String()),
    task_run_id: Type.Optional(
      Type.String({ format: 'uuid', description: 'the tick of a scheduled task, of which it is an attempt' }),
    ),
    time_limit_seconds: Type.Optional(Type.Number({ description: 'how long it may take' })),
    events: Type.Optional(
      Type.Array(Type.Object({ source: Type.String(), id: Type.String(), type: Type.String() }), {
        description: 'the events that began it, in their order',
      }),
    ),
    chain: Type.Optional(
      Type.Integer({
        description: 'how many runs one after the other were begun by events, this one included',
      }),
    ),
  },
  { $id: 'RunTrigger' },
);
export type RunTrigger = Static<typeof RunTrigger>;

const runFields = {
  id: Id,
  workflow_id: Id,
  version: Type.Integer(),
  trigger: RunTrigger,
  status: literals(runStatuses),
  progress: Type.Number({ minimum: 0, maximum: 100 }),
  input: AnyJson,
  output: AnyJson,
  error: nullable(RunProblem),
  rerun_of: nullable(
    Type.Object({
      run_id: Id,
      from: nullable(
        Type.String({ description: 'the step from which it was repeated; all of it when null' }),
      ),
      iteration: nullable(Type.Array(Type.Integer())),
    }),
  ),
  parent: nullable(Type.Object({ run_id: Id, path: Type.String(), iteration: Type.Array(Type.Integer()) })),
  created_at: Time,
  started_at: nullable(Time),
  ended_at: nullable(Time),
};

export const RunSummary = Type.Object(runFields, { $id: 'RunSummary' });
export type RunSummary = Static<typeof RunSummary>;

export const Run = Type.Object(
  {
    ...runFields,
    reruns: Type.Array(Id, { description: 'runs that repeat this one, newest first' }),
    steps: Type.Array(Step),
    steps_total: Type.Integer(),
  },
  { $id: 'Run' },
);
export type Run = Static<typeof Run>;

/** Which runs are meant, in lists and in what is done to many. */
export const runFilters = {
  workflow_id: Type.Optional(Id),
  status: Type.Optional(literals(runStatuses)),
  created_after: Type.Optional(Time),
  created_before: Type.Optional(Time),
  name: Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, description: 'a part of the workflow’s name' }),
  ),
};

export const TriggerRequest = Type.Object(
  { input: Type.Optional(AnyJson), version: Type.Optional(Type.Integer({ minimum: 1 })) },
  { additionalProperties: false, examples: [{ input: { threshold: 80 } }] },
);

export const RerunRequest = Type.Object(
  {
    from: Type.Optional(
      Type.String({ maxLength: 20_000, description: 'JSON pointer to a step; all of the run without it' }),
    ),
    iteration: Type.Optional(
      Type.Array(Type.Integer({ minimum: 0 }), {
        maxItems: 100,
        description: 'which time of a step that ran several times',
      }),
    ),
    version: Type.Optional(Type.Integer({ minimum: 1, description: 'the run’s own without it' })),
    input: Type.Optional({ ...AnyJson, description: 'the run’s own without it' }),
  },
  { additionalProperties: false, examples: [{ from: '/do/3/deliver' }] },
);

export const RunStarted = Type.Object(
  { run_id: Id, job_id: Id, status: literals(runStatuses) },
  { $id: 'RunStarted' },
);

export const RunEnded = Type.Object(
  {
    run_id: Id,
    job_id: Id,
    status: literals(runStatuses),
    output: Type.Optional(AnyJson),
    error: Type.Optional(RunProblem),
  },
  { $id: 'RunEnded' },
);

/** A value of more JSON than this does not go through a run; from 256 KiB on it goes by reference. */
export const VALUE_LIMIT_BYTES = 8 * 1024 * 1024;

/** What one expression may give: jq has it in memory several times over. */
export const EXPRESSION_LIMIT_BYTES = 1024 * 1024;

/** A step's input and output are shown whole up to this size; above it they are kept as blobs of the run. */
export const SHOWN_VALUE_LIMIT_BYTES = 64 * 1024;

/** Steps that a run keeps a row for; a longer loop's further steps run unrecorded. */
export const RECORDED_STEPS_LIMIT = 10_000;
