import { Type } from 'typebox';
import { isExpression } from '../expressions.ts';
import { base } from './base.ts';
import type { TaskKind } from './kind.ts';

export const SetTask = Type.Object(
  { ...base, set: Type.Union([Type.String({ minLength: 1 }), Type.Record(Type.String(), Type.Unknown())]) },
  { additionalProperties: false },
);

export const setKind: TaskKind<typeof SetTask> = {
  keyword: 'set',
  schema: SetTask,
  children: () => [],
  expressions: (task) => [{ path: ['set'], value: task.set, bare: false }],
  check(task) {
    if (typeof task.set === 'string' && !isExpression(task.set))
      return [{ path: ['set'], message: `must be an object or one expression such as \${ .color }` }];
    if (Object.keys(task.set).length === 0)
      return [{ path: ['set'], message: 'must set at least one value' }];
    return [];
  },
};
