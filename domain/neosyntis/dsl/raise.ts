import { Type } from 'typebox';
import { isExpression } from '../expressions.ts';
import { show } from '../json.ts';
import { base } from './base.ts';
import type { KindProblem, TaskKind } from './kind.ts';

const text = (description: string) => Type.String({ minLength: 1, maxLength: 10_000, description });

/** Problem details (RFC 9457), as the specification has them; all but the status may be expressions. */
export const RaisedError = Type.Object(
  {
    type: text('A URI reference, best one of the standard types'),
    status: Type.Integer({ minimum: 100, maximum: 599 }),
    instance: Type.Optional(text('JSON pointer; default: this task')),
    title: Type.Optional(text('Short')),
    detail: Type.Optional(text('What happened this time')),
  },
  { additionalProperties: false },
);

export const RaiseTask = Type.Object(
  { ...base, raise: Type.Object({ error: RaisedError }, { additionalProperties: false }) },
  { additionalProperties: false },
);

export const raiseKind: TaskKind<typeof RaiseTask> = {
  keyword: 'raise',
  schema: RaiseTask,
  children: () => [],
  expressions: (task) => [{ path: ['raise', 'error'], value: task.raise.error, bare: false }],
  check({ raise: { error } }) {
    const problem = (name: 'type' | 'instance', fits: RegExp, wanted: string): KindProblem[] => {
      const value = error[name];
      if (value === undefined || fits.test(value) || isExpression(value)) return [];
      return [{ path: ['raise', 'error', name], message: `must be ${wanted}, found ${show(error[name])}` }];
    };
    return [
      ...problem('type', /^\S+$/, 'a URI reference without spaces'),
      ...problem('instance', /^\//, 'a JSON pointer such as /do/0/name'),
    ];
  },
};
