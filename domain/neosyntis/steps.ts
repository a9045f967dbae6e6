import { type Static, Type } from 'typebox';
import { Id, literals, nullable, Time } from '../wire.ts';
import { RunProblem, stepData, stepFields, stepStatuses } from './runs.ts';

const milliseconds = (description: string) => nullable(Type.Integer({ description }));

/** What a step cost; null where it is not known. */
const costs = {
  queue_ms: milliseconds('from when it was asked for until somebody took it'),
  wait_ms: milliseconds('timers, pauses before retries, and waiting for people, events or hosts'),
};

const attemptFields = {
  attempt: Type.Integer({ minimum: 1 }),
  status: literals(stepStatuses),
  host: nullable(Type.String()),
  started_at: nullable(Time),
  ended_at: nullable(Time),
};

export const StepAttempt = Type.Object(
  { ...attemptFields, error: nullable(RunProblem), ...costs },
  { $id: 'StepAttempt' },
);
export type StepAttempt = Static<typeof StepAttempt>;

/** All that is known of one step. */
export const StepDetail = Type.Object(
  {
    ...stepFields,
    ...stepData,
    input_bytes: nullable(Type.Integer({ description: 'of its whole JSON' })),
    output_bytes: nullable(Type.Integer({ description: 'of its whole JSON' })),
    directive: nullable(Type.String({ description: 'where the run went on, when the step decided it' })),
    ...costs,
    attempts: Type.Array(StepAttempt, { description: 'all of them, oldest first' }),
  },
  { $id: 'StepDetail' },
);
export type StepDetail = Static<typeof StepDetail>;

/** One attempt of a step, with what it cost. */
export const TimelineEntry = Type.Object(
  {
    path: stepFields.path,
    iteration: stepFields.iteration,
    name: stepFields.name,
    kind: stepFields.kind,
    reused: stepFields.reused,
    ...attemptFields,
    ...costs,
    run_ms: milliseconds('the rest of its time; null for tasks that hold others'),
  },
  { $id: 'TimelineEntry' },
);
export type TimelineEntry = Static<typeof TimelineEntry>;

export const Timeline = Type.Object(
  {
    run_id: Id,
    start_ms: milliseconds('from when the run was asked for until it began'),
    elapsed_ms: milliseconds('from when the run was asked for until it ended'),
    totals: Type.Object({
      queue_ms: Type.Integer(),
      run_ms: Type.Integer(),
      wait_ms: Type.Integer(),
      unknown: Type.Integer({
        description: 'attempts of which not all three are known; what is known counts',
      }),
    }),
    steps: Type.Array(TimelineEntry, { description: 'in the order in which the steps began' }),
  },
  { $id: 'Timeline' },
);
export type Timeline = Static<typeof Timeline>;

/** A place in loops as one text: `0.2` is the third round of an inner loop in the first round of the outer one. */
const iterationText = Type.String({
  pattern: '^(\\d{1,9}(\\.\\d{1,9}){0,99})?$',
  description: 'index in each loop around the task, outermost first, joined by dots; empty outside of loops',
  examples: ['0.2'],
});
const pathText = Type.String({ maxLength: 20_000, examples: ['/do/0/measure'] });

export const StepQuery = { path: pathText, iteration: Type.Optional(iterationText) };

export const iterationOf = (text = ''): number[] => (text === '' ? [] : text.split('.').map(Number));

const ordinalCursor = Type.String({
  pattern: '^\\d{1,15}$',
  description: 'from the Link header of the page before',
});

export const StepsPage = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
  cursor: Type.Optional(ordinalCursor),
};

export const StepFilter = {
  name: Type.Optional(Type.String({ maxLength: 200 })),
  status: Type.Optional(literals(stepStatuses)),
  kind: Type.Optional(Type.String({ maxLength: 50 })),
  path_prefix: Type.Optional(pathText),
};
