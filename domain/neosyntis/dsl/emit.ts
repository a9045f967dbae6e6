import { Type } from 'typebox';
import { attributeNameProblem, attributeProblem } from '../cloud-event.ts';
import { isExpression } from '../expressions.ts';
import { base } from './base.ts';
import type { TaskKind } from './kind.ts';

export const EmitTask = Type.Object(
  {
    ...base,
    emit: Type.Object(
      {
        event: Type.Object(
          { with: Type.Record(Type.String(), Type.Unknown(), { description: 'Attributes, and `data`' }) },
          { additionalProperties: false },
        ),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

const at = ['emit', 'event', 'with'];

export const emitKind: TaskKind<typeof EmitTask> = {
  keyword: 'emit',
  schema: EmitTask,
  children: () => [],
  expressions: (task) => [{ path: at, value: task.emit.event.with, bare: false }],
  check({ emit: { event } }) {
    const { data: _data, ...attributes } = event.with;
    const found = Object.entries(attributes).flatMap(([name, value]) => {
      const message =
        attributeNameProblem(name) ?? (isExpression(value) ? undefined : attributeProblem(name, value));
      return message === undefined ? [] : [{ path: [...at, name], message }];
    });
    if (event.with.type === undefined) found.push({ path: at, message: '`type` is missing' });
    return found;
  },
};
