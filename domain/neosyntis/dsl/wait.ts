import { Type } from 'typebox';
import { durationMs } from '../duration.ts';
import { isExpression } from '../expressions.ts';
import { base, Duration } from './base.ts';
import type { TaskKind } from './kind.ts';

export const WaitTask = Type.Object(
  { ...base, wait: Type.Union([Type.String({ minLength: 1, maxLength: 10_000 }), Duration]) },
  { additionalProperties: false },
);

export const waitKind: TaskKind<typeof WaitTask> = {
  keyword: 'wait',
  schema: WaitTask,
  children: () => [],
  expressions: (task) => [{ path: ['wait'], value: task.wait, bare: false }],
  check(task) {
    if (isExpression(task.wait)) return [];
    const duration = durationMs(task.wait);
    return typeof duration === 'number' ? [] : [{ path: ['wait'], message: duration.problem }];
  },
};
