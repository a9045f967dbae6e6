import { Type } from 'typebox';
import { literals } from '../../wire.ts';
import { base, Export, Output, tasks } from './base.ts';
import { EventStrategy, eventStrategyExpressions, eventStrategyProblems } from './event-strategy.ts';
import type { KindProblem, TaskKind } from './kind.ts';
import { variable, variableProblem } from './variable.ts';

/** What a consumed event is to the run: its data, all of it, or its data as text. */
export const readings = ['data', 'envelope', 'raw'] as const;
export type Reading = (typeof readings)[number];

export const ListenTask = Type.Object(
  {
    ...base,
    listen: Type.Object(
      { to: EventStrategy, read: Type.Optional(literals(readings)) },
      { additionalProperties: false },
    ),
    foreach: Type.Optional(
      Type.Object(
        {
          item: Type.Optional(variable('Variable of the consumed event; default: item')),
          at: Type.Optional(variable('Variable of its position; default: index')),
          do: Type.Optional(tasks()),
          output: Type.Optional(Output),
          export: Type.Optional(Export),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

export const listenKind: TaskKind<typeof ListenTask> = {
  keyword: 'listen',
  schema: ListenTask,
  children: (task) =>
    task.foreach?.do === undefined
      ? []
      : [{ path: ['foreach', 'do'], tasks: task.foreach.do, variables: iteratorVariables(task) }],
  expressions: (task) => [
    ...eventStrategyExpressions(task.listen.to, ['listen', 'to']),
    ...(['output', 'export'] as const).map((key) => ({
      path: ['foreach', key, 'as'],
      value: task.foreach?.[key]?.as,
      bare: true,
      variables: iteratorVariables(task),
    })),
  ],
  check(task) {
    const problems: KindProblem[] = eventStrategyProblems(task.listen.to, ['listen', 'to']);
    for (const key of ['item', 'at'] as const) {
      const name = task.foreach?.[key];
      const message = name === undefined ? undefined : variableProblem(name);
      if (message !== undefined) problems.push({ path: ['foreach', key], message });
    }
    const [item, at] = iteratorVariables(task);
    if (item === at)
      problems.push({
        path: ['foreach', task.foreach?.at === undefined ? 'item' : 'at'],
        message: `event and position cannot both be $${item}: choose two names`,
      });
    return problems;
  },
};

/** The names of the variables that hold the event and its position, in this order. */
export const iteratorVariables = (task: {
  foreach?: { item?: string; at?: string };
}): [item: string, at: string] => [task.foreach?.item ?? 'item', task.foreach?.at ?? 'index'];
