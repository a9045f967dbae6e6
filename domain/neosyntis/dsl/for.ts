import { Type } from 'typebox';
import { base, expression, tasks } from './base.ts';
import type { TaskKind } from './kind.ts';
import { variable, variableProblem } from './variable.ts';

export const ForTask = Type.Object(
  {
    ...base,
    for: Type.Object(
      {
        each: Type.Optional(variable('Variable of the current item; default: item')),
        in: Type.Union([expression('Gives the list to go through'), Type.Array(Type.Unknown())]),
        at: Type.Optional(variable('Variable of the current position; default: index')),
      },
      { additionalProperties: false },
    ),
    while: Type.Optional(expression('Goes on only while true')),
    do: tasks(),
  },
  { additionalProperties: false },
);

export const forKind: TaskKind<typeof ForTask> = {
  keyword: 'for',
  schema: ForTask,
  children: (task) => [{ path: ['do'], tasks: task.do, variables: loopVariables(task) }],
  expressions: (task) => [
    { path: ['for', 'in'], value: task.for.in, bare: true },
    ...(task.while === undefined
      ? []
      : [{ path: ['while'], value: task.while, bare: true, variables: loopVariables(task) }]),
  ],
  check(task) {
    const problems = (['each', 'at'] as const).flatMap((key) => {
      const name = task.for[key];
      const message = name === undefined ? undefined : variableProblem(name);
      return message === undefined ? [] : [{ path: ['for', key], message }];
    });
    const [each, at] = loopVariables(task);
    if (problems.length === 0 && each === at)
      problems.push({
        path: ['for', task.for.at === undefined ? 'each' : 'at'],
        message: `item and position cannot both be $${each}: choose two names`,
      });
    return problems;
  },
};

/** The names of the variables that hold the item and its position, in this order. */
export const loopVariables = (task: { for: { each?: string; at?: string } }): [each: string, at: string] => [
  task.for.each ?? 'item',
  task.for.at ?? 'index',
];
