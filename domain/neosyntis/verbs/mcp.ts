import { type Static, Type } from 'typebox';
import type { InputProblem } from '../../errors.ts';
import { DurationOrText, durationProblem } from '../dsl/base.ts';
import { endpointProblems, endpointSchema, refusedAtEndpoint } from '../dsl/endpoint.ts';
import { isExpression } from '../expressions.ts';
import { isObject } from '../json.ts';
import { secretMentions } from '../sealed.ts';
import type { Verb } from '../verbs.ts';
import { headerProblems, headers } from './http/headers.ts';

const methods = [
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/read',
  'resources/templates/list',
] as const;

const versions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;

/** Offered unless a call says another. */
export const USUAL_VERSION = '2025-06-18';

const oneOf = <const T extends string>(values: readonly T[]) =>
  Type.Unsafe<T>(Type.Union(values.map((value) => Type.Literal(value))));

const text = () => Type.String({ minLength: 1, maxLength: 200 });

const httpOf = ({ transport }: Record<string, unknown>) =>
  isObject(transport) && isObject(transport.http) ? transport.http : {};

/** A server that is a process on a worker host, and so a step that runs code. */
const Stdio = Type.Object(
  {
    command: Type.String({ minLength: 1, maxLength: 10_000 }),
    arguments: Type.Optional(Type.Array(Type.String(), { maxItems: 1_000 })),
    environment: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
    ),
  },
  { additionalProperties: false },
);
export type Stdio = Static<typeof Stdio>;

/** `transport.stdio` of a call, when it has one: that is seen when it is saved. */
export const stdioOf = ({ transport }: Record<string, unknown> = {}): Stdio | undefined =>
  isObject(transport) && Object.hasOwn(transport, 'stdio') ? (transport.stdio as Stdio) : undefined; // checked at save

/** Who reads the list of processes of a host sees a command and its arguments. */
function stdioProblems({ transport }: Record<string, unknown>): InputProblem[] {
  if (!isObject(transport) || !isObject(transport.stdio)) return [];
  const { command, arguments: list } = transport.stdio;
  const path = '/transport/stdio';
  return [
    ...(isExpression(command)
      ? [{ path: `${path}/command`, message: 'is literal: pass values through `arguments` or `environment`' }]
      : []),
    ...secretMentions(list, `${path}/arguments`)
      .filter(({ name }) => name !== undefined)
      .map((mention) => ({
        path: mention.path,
        message: 'uses `$secrets`, which others on the host could read there: use `environment`',
      })),
  ];
}

/** `call: mcp` (dsl-reference, "MCP Call"). Over HTTP it is a verb; a server that is a process runs on a host. */
export const mcp = {
  name: 'mcp',
  summary: 'Calls a server of the Model Context Protocol',
  with: Type.Object(
    {
      protocolVersion: Type.Optional(oneOf(versions)),
      method: oneOf(methods),
      parameters: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
      timeout: Type.Optional(DurationOrText),
      transport: Type.Object(
        {
          http: Type.Optional(
            Type.Object(
              { endpoint: endpointSchema(), headers: Type.Optional(headers()) },
              { additionalProperties: false },
            ),
          ),
          stdio: Type.Optional(Stdio),
        },
        { additionalProperties: false, minProperties: 1, maxProperties: 1 },
      ),
      client: Type.Optional(Type.Object({ name: text(), version: text() }, { additionalProperties: false })),
    },
    { additionalProperties: false },
  ),
  refuse: (args) => [
    // Whether it runs code must be seen when it is saved.
    ...(isObject(args.transport) && isExpression(args.transport.stdio)
      ? [{ path: '/transport/stdio', message: 'is written out: an object of `command`, `arguments`, …' }]
      : []),
    ...refusedAtEndpoint(httpOf(args).endpoint, '/transport/http/endpoint'),
  ],
  check(args) {
    const { endpoint, headers: given } = httpOf(args);
    const isAuthenticated = isObject(endpoint) && endpoint.authentication !== undefined;
    const wrong = isExpression(args.timeout) ? undefined : durationProblem(args.timeout);
    return [
      ...(wrong ? [{ path: '/timeout', message: wrong }] : []),
      ...stdioProblems(args),
      ...endpointProblems(endpoint, '/transport/http/endpoint'),
      ...headerProblems(given, isAuthenticated ? ['authorization'] : []).map(({ path, message }) => ({
        path: `/transport/http${path}`,
        message,
      })),
    ];
  },
  // A server may say of a tool that it is; nobody holds it to that.
  idempotent: (args) => isObject(args) && args.method !== 'tools/call',
  retry: { attempts: 5, firstPauseMs: 200 },
  policyIn: ['transport', 'http', 'endpoint', 'authentication'],
  queue: 'outbound',
} satisfies Verb;

export type McpArguments = Static<typeof mcp.with>;
