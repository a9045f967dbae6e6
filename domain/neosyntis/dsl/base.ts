import { Type } from 'typebox';
import type { TaskList } from '../dsl.ts';
import { isObject } from '../json.ts';
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
  { from: Type.Optional(transformation('Shapes the raw input')) },
  { additionalProperties: false },
);

/** `output` of a task or of the document. */
export const Output = Type.Object(
  { as: Type.Optional(transformation('Shapes the raw output')) },
  { additionalProperties: false },
);

const Export = Type.Object(
  { as: Type.Optional(transformation('The new $context')) },
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
  // biome-ignore lint/suspicious/noThenProperty: the specification's name; nothing awaits this object.
  then: Type.Optional(FlowDirective),
  metadata: Type.Optional(object('Free; not interpreted')),
};

const transformations = { input: 'from', output: 'as', export: 'as' } as const;

/** The expressions that every task may have. */
export const baseExpressions = (task: Record<string, unknown>): ExpressionField[] => [
  { path: ['if'], value: task.if, bare: true },
  ...Object.entries(transformations).flatMap(([field, key]) => {
    const value = task[field];
    return isObject(value) ? [{ path: [field, key], value: value[key], bare: true }] : [];
  }),
];

/** Parts of every task that the specification has and we do not. */
export function refusedFields(task: Record<string, unknown>): KindProblem[] {
  const found: KindProblem[] = [];
  if (Object.hasOwn(task, 'timeout'))
    found.push({ path: ['timeout'], message: '`timeout` is not supported yet' });
  for (const field of Object.keys(transformations)) {
    const value = task[field];
    if (isObject(value) && Object.hasOwn(value, 'schema'))
      found.push({ path: [field, 'schema'], message: `\`${field}.schema\` is not supported yet` });
  }
  return found;
}
