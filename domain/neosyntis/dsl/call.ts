import { Type } from 'typebox';
import { show } from '../json.ts';
import { nearest } from '../nearest.ts';
import { argumentProblems } from '../verb-arguments.ts';
import { base } from './base.ts';
import type { TaskKind } from './kind.ts';

export const CallTask = Type.Object(
  {
    ...base,
    call: Type.String({ minLength: 1, maxLength: 200 }),
    with: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: false },
);

export const callKind: TaskKind<typeof CallTask> = {
  keyword: 'call',
  schema: CallTask,
  children: () => [],
  expressions: (task) => [{ path: ['with'], value: task.with, bare: false }],
  check(task, { verbs }) {
    const verb = verbs.get(task.call);
    if (verb)
      return argumentProblems(verb, task.with ?? {}).map(({ path, message }) => ({
        path: task.with === undefined ? [] : ['with'],
        below: path,
        message,
      }));
    const path = ['call'];
    if (standardCalls.includes(task.call))
      return [
        {
          path,
          message: `\`call: ${task.call}\` is not supported yet; supported verbs are ${[...verbs.keys()].join(', ')}`,
        },
      ];
    return [
      {
        path,
        message: `${show(task.call)} is not a verb; nearest: ${nearest(task.call, verbs.keys()).join(', ')}`,
      },
    ];
  },
};

const standardCalls = ['openapi', 'grpc', 'asyncapi', 'a2a', 'mcp'];
