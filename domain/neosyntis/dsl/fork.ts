import { Type } from 'typebox';
import { base, tasks } from './base.ts';
import type { TaskKind } from './kind.ts';

export const ForkTask = Type.Object(
  {
    ...base,
    fork: Type.Object(
      { branches: tasks(), compete: Type.Optional(Type.Boolean()) },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

export const forkKind: TaskKind<typeof ForkTask> = {
  keyword: 'fork',
  schema: ForkTask,
  children: (task) => [{ path: ['fork', 'branches'], tasks: task.fork.branches, parallel: true }],
  expressions: () => [],
};
