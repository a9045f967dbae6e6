import { type Static, Type } from 'typebox';
import { DurationOrText, durationProblem } from '../dsl/base.ts';
import { endpointProblems, endpointSchema, refusedAtEndpoint } from '../dsl/endpoint.ts';
import { isExpression } from '../expressions.ts';
import { isObject } from '../json.ts';
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

const oneOf = <const T extends string>(values: readonly T[]) =>
  Type.Unsafe<T>(Type.Union(values.map((value) => Type.Literal(value))));

const text = () => Type.String({ minLength: 1, maxLength: 200 });

const httpOf = ({ transport }: Record<string, unknown>) =>
  isObject(transport) && isObject(transport.http) ? transport.http : {};

/** `call: mcp` (dsl-reference, "MCP Call"), over HTTP. */
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
          http: Type.Object(
            { endpoint: endpointSchema(), headers: Type.Optional(headers()) },
            { additionalProperties: false },
          ),
        },
        { additionalProperties: false },
      ),
      client: Type.Optional(Type.Object({ name: text(), version: text() }, { additionalProperties: false })),
    },
    { additionalProperties: false },
  ),
  refuse: (args) => [
    ...(isObject(args.transport) && Object.hasOwn(args.transport, 'stdio')
      ? [
          {
            path: '/transport/stdio',
            message: '`transport: stdio` is not supported yet; supported is `http`',
          },
        ]
      : []),
    ...refusedAtEndpoint(httpOf(args).endpoint, '/transport/http/endpoint'),
  ],
  check(args) {
    const { endpoint, headers: given } = httpOf(args);
    const isAuthenticated = isObject(endpoint) && endpoint.authentication !== undefined;
    const wrong = isExpression(args.timeout) ? undefined : durationProblem(args.timeout);
    return [
      ...(wrong ? [{ path: '/timeout', message: wrong }] : []),
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
  queue: 'outbound',
} satisfies Verb;

export type McpArguments = Static<typeof mcp.with>;
