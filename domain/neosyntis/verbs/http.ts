import { Type } from 'typebox';
import type { InputProblem } from '../../errors.ts';
import { isIdempotentMethod, isOutboundMethod, outboundMethods } from '../../outbound/request-rules.ts';
import { endpointProblems, endpointSchema, refusedAtEndpoint } from '../dsl/endpoint.ts';
import { isExpression } from '../expressions.ts';
import { isObject } from '../json.ts';
import type { Verb } from '../verbs.ts';
import { headerProblems, headers } from './http/headers.ts';
import { expandEndpoint, withoutVariables } from './http/uri-template.ts';

const scalars = () => [Type.String(), Type.Number(), Type.Boolean(), Type.Null()];
/** `call: http` (dsl-reference, "HTTP Call"). */
export const http = {
  name: 'http',
  summary: 'Makes an HTTP request',
  with: Type.Object(
    {
      method: Type.String({ minLength: 1, maxLength: 20, description: 'In any case' }),
      endpoint: endpointSchema('A URI, or a URI template'),
      headers: Type.Optional(headers()),
      body: Type.Optional(Type.Unknown()),
      query: Type.Optional(
        Type.Record(
          Type.String({ maxLength: 1_000 }),
          Type.Union([...scalars(), Type.Array(Type.Union(scalars()), { maxItems: 1_000 })]),
        ),
      ),
      output: Type.Optional(
        Type.Union([Type.Literal('raw'), Type.Literal('content'), Type.Literal('response')]),
      ),
      redirect: Type.Optional(Type.Boolean()),
    },
    { additionalProperties: false },
  ),
  refuse: ({ endpoint }) => refusedAtEndpoint(endpoint, '/endpoint'),
  check(args) {
    const { method, endpoint } = args;
    const found: InputProblem[] = [];
    if (!isExpression(method) && !isOutboundMethod(String(method).toUpperCase()))
      found.push({ path: '/method', message: `must be one of ${outboundMethods.join(', ')}` });
    const isAuthenticated = isObject(endpoint) && endpoint.authentication !== undefined;
    return [
      ...found,
      ...endpointProblems(endpoint, '/endpoint', withoutVariables),
      ...headerProblems(args.headers, isAuthenticated ? ['authorization'] : []),
    ];
  },
  expand: expandEndpoint,
  idempotent: (args) => isObject(args) && isIdempotentMethod(String(args.method).toUpperCase()),
  retry: { attempts: 5, firstPauseMs: 200 },
  policyIn: ['endpoint', 'authentication'],
  queue: 'outbound',
} satisfies Verb;
