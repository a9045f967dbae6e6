import { Type } from 'typebox';
import { isObject } from '../json.ts';
import { base, tasks } from './base.ts';
import type { TaskKind } from './kind.ts';

export const ForkTask = Type.Object(
  {
    ...base,
    fork: Type.Object(
      { branches: tasks(), compete: Type.Optional(Type.Literal(false)) },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

export const forkKind: TaskKind<typeof ForkTask> = {
  keyword: 'fork',
  schema: ForkTask,
  refuse: ({ fork }) =>
    isObject(fork) && fork.compete === true
      ? [
          {
            path: ['fork', 'compete'],
            message: '`compete: true` is not supported yet; branches all run to their end',
          },
        ]
      : [],
  children: (task) => [{ path: ['fork', 'branches'], tasks: task.fork.branches, parallel: true }],
  expressions: () => [],
};
