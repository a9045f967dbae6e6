import { Type } from 'typebox';
import { base, tasks } from './base.ts';
import type { TaskKind } from './kind.ts';

export const DoTask = Type.Object({ ...base, do: tasks() }, { additionalProperties: false });

export const doKind: TaskKind<typeof DoTask> = {
  keyword: 'do',
  schema: DoTask,
  children: (task) => [{ path: ['do'], tasks: task.do }],
  expressions: () => [],
};
