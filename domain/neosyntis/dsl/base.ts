import { Type } from 'typebox';
import type { TaskList } from '../dsl.ts';
import { durationMs } from '../duration.ts';
import { isObject } from '../json.ts';
import { secretMentions } from '../sealed.ts';
import { DataSchema, dataSchemaProblems, resourceExpressions } from './data-schema.ts';
import type { ExpressionField, KindProblem } from './kind.ts';

/** A nested list of tasks: its items are checked one by one, each by the schema of its own keyword. */
export const tasks = () => Type.Unsafe<TaskList>(Type.Array(Type.Unknown()));

/** A runtime expression: jq, bare or in `${ … }`. */
export const expression = (description: string) =>
  Type.String({ minLength: 1, maxLength: 10_000, description });

const object = (description: string) => Type.Record(Type.String(), Type.Unknown(), { description });

const transformation = (description: string) => Type.Union([expression(description), object(description)]);

/** `input` of a task or of the document. */
export const Input = Type.Object(
  { schema: Type.Optional(DataSchema), from: Type.Optional(transformation('Shapes the raw input')) },
  { additionalProperties: false },
);

/** `output` of a task or of the document. */
export const Output = Type.Object(
  { schema: Type.Optional(DataSchema), as: Type.Optional(transformation('Shapes the raw output')) },
  { additionalProperties: false },
);

const amount = () => Type.Optional(Type.Integer({ minimum: 0, maximum: 1e12 }));

export const Duration = Type.Object(
  { days: amount(), hours: amount(), minutes: amount(), seconds: amount(), milliseconds: amount() },
  { additionalProperties: false, minProperties: 1 },
);

/** ISO 8601, or an object of its parts. */
export const DurationOrText = Type.Union([Type.String({ minLength: 1, maxLength: 100 }), Duration]);

/** What is wrong with a duration, if it is there and something is. */
export function durationProblem(value: unknown): string | undefined {
  const ms = typeof value === 'string' || isObject(value) ? durationMs(value) : 0;
  return typeof ms === 'number' ? undefined : ms.problem;
}

/** A time limit. */
export const Timeout = Type.Object({ after: DurationOrText }, { additionalProperties: false });

/** `export` of a task. */
export const Export = Type.Object(
  { schema: Type.Optional(DataSchema), as: Type.Optional(transformation('The new $context')) },
  { additionalProperties: false },
);

/** `continue`, `exit`, `end`, or the name of a task in the same list. */
export const FlowDirective = Type.String({ minLength: 1, maxLength: 200 });

/** What every task may have (dsl-reference, "Task"). */
export const base = {
  if: Type.Optional(expression('Skips the task unless true; evaluated on the raw input')),
  input: Type.Optional(Input),
  output: Type.Optional(Output),
  export: Type.Optional(Export),
  timeout: Type.Optional(Timeout),
  then: Type.Optional(FlowDirective),
  metadata: Type.Optional(
    object('Free; of `run` tasks host, capability, onHostLoss and idempotent are read'),
  ),
};

const transformations = { input: 'from', output: 'as', export: 'as' } as const;

/** The expressions that every task may have. */
export const baseExpressions = (task: Record<string, unknown>): ExpressionField[] => [
  { path: ['if'], value: task.if, bare: true },
  ...Object.entries(transformations).flatMap(([field, key]) => {
    const value = task[field];
    return isObject(value)
      ? [{ path: [field, key], value: value[key], bare: true }, resourceExpressions(field, value)]
      : [];
  }),
];

/** Parts of every task that the specification has and we do not, and what `metadata` must not hold. */
export function refusedFields(task: Record<string, unknown>): KindProblem[] {
  const found = timeoutProblems(task);
  for (const { path: below, name } of secretMentions(task.metadata, ''))
    if (name !== undefined)
      found.push({
        path: ['metadata'],
        below,
        message: 'uses `$secrets`, which is not available in metadata: it is not evaluated',
      });
  found.push(...dataSchemaProblems(task, Object.keys(transformations)));
  return found;
}

/** What is wrong with the `timeout` of a task or of the document. */
export function timeoutProblems({ timeout }: Record<string, unknown>): KindProblem[] {
  const message = isObject(timeout) ? durationProblem(timeout.after) : undefined;
  return message === undefined ? [] : [{ path: ['timeout', 'after'], message }];
}
