import { Type } from 'typebox';
import type { TaskItem } from '../dsl.ts';
import { isObject, show } from '../json.ts';
import { nearest } from '../nearest.ts';
import { secretMentions } from '../sealed.ts';
import { isOutside } from '../sources.ts';
import { argumentProblems } from '../verb-arguments.ts';
import { mcp, stdioOf } from '../verbs/mcp.ts';
import type { Verb } from '../verbs.ts';
import { base } from './base.ts';
import type { KindProblem, TaskKind } from './kind.ts';
import { metadataProblems, placingExpressions, placingProblems } from './placing.ts';
import { standardCalls } from './standard-calls.ts';

export const CallTask = Type.Object(
  {
    ...base,
    call: Type.String({ minLength: 1, maxLength: 200 }),
    with: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    function: Type.Optional(
      Type.Unsafe<TaskItem>(Type.Unknown({ description: 'Of `use`, once it is written out' })),
    ),
  },
  { additionalProperties: false },
);

export const callKind: TaskKind<typeof CallTask> = {
  keyword: 'call',
  schema: CallTask,
  children: () => [],
  called: (task) => task.function && { path: ['function'], item: task.function },
  // A function's arguments are its input, which is kept.
  expressions: (task) => [
    {
      path: ['with'],
      value: task.with,
      bare: false,
      secrets: task.function === undefined && !isOutside(task.call),
      authorization: authorizable.includes(task.call) && !isOnHost(task),
    },
    ...(isOnHost(task) ? placingExpressions(task.metadata) : []),
  ],
  check(task, { verbs, functions = [] }) {
    if (task.function) return [];
    const verb = verbs.get(task.call);
    if (verb)
      return [
        ...(isOnHost(task) ? placingProblems(task.metadata) : metadataProblems(task.metadata)),
        ...misplacedSecrets(verb, task.with ?? {}),
        ...circularAuthorization(verb, task.with ?? {}),
        ...argumentProblems(verb, task.with ?? {}).map(({ path, message }) => ({
          path: task.with === undefined ? [] : ['with'],
          below: path,
          message,
        })),
      ];
    const path = ['call'];
    if (standardCalls.includes(task.call))
      return [
        {
          path,
          message: `\`call: ${task.call}\` is not supported yet; supported verbs are ${[...verbs.keys()].join(', ')}`,
        },
      ];
    if (isOutside(task.call)) return []; // it is checked once it was read
    return [
      {
        path,
        message: `${show(task.call)} is not a verb${functions.length > 0 ? ' or function' : ''}; nearest: ${nearest(task.call, [...functions, ...verbs.keys()]).join(', ')}`,
      },
    ];
  },
};

const isOnHost = ({ call, with: given }: { call: string; with?: Record<string, unknown> }): boolean =>
  call === mcp.name && stdioOf(given) !== undefined;

/** Calls whose requests may say who asks. */
const authorizable = ['http', 'openapi', 'mcp'];

/** What a request is authorized by cannot be made of itself. */
function circularAuthorization({ policyIn = [] }: Verb, given: Record<string, unknown>): KindProblem[] {
  const policy = policyIn.reduce<unknown>((outer, key) => (isObject(outer) ? outer[key] : undefined), given);
  return policyIn.length > 0 && JSON.stringify(policy ?? null).includes('$authorization')
    ? [{ path: ['with', ...policyIn], message: 'uses `$authorization`, which is made of it' }]
    : [];
}

/** Some arguments are kept or shown as they are. */
const misplacedSecrets = ({ name, secretsIn }: Verb, given: Record<string, unknown>): KindProblem[] =>
  secretsIn === undefined
    ? []
    : Object.entries(given)
        .filter(([key]) => !secretsIn.includes(key))
        .flatMap(([key, value]) => secretMentions(value, '').map((mention) => ({ ...mention, key })))
        .filter((mention) => mention.name !== undefined)
        .map(({ key, path }) => ({
          path: ['with', key],
          below: path,
          message: `uses \`$secrets\`, which ${name} keeps in clear there; it may be used in ${secretsIn.join(', ')}`,
        }));
