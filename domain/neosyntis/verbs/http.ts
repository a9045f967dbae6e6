import { Type } from 'typebox';
import type { InputProblem } from '../../errors.ts';
import {
  isIdempotentMethod,
  isOutboundMethod,
  outboundMethods,
  urlProblem,
} from '../../outbound/request-rules.ts';
import { pointer } from '../../pointer.ts';
import { isExpression } from '../expressions.ts';
import { isObject } from '../json.ts';
import type { Verb } from '../verbs.ts';
import { headerProblems, headers } from './http/headers.ts';
import { expandEndpoint, withoutVariables } from './http/uri-template.ts';

const scalars = () => [Type.String(), Type.Number(), Type.Boolean(), Type.Null()];
const secret = () => Type.String({ minLength: 1, maxLength: 16_000 });
const uri = () => Type.String({ minLength: 1, maxLength: 10_000, description: 'A URI, or a URI template' });

const Authentication = Type.Object(
  {
    basic: Type.Optional(
      Type.Object(
        { username: Type.String({ maxLength: 1_000 }), password: secret() },
        { additionalProperties: false },
      ),
    ),
    bearer: Type.Optional(Type.Object({ token: secret() }, { additionalProperties: false })),
  },
  { additionalProperties: false, minProperties: 1, maxProperties: 1 },
);

const Endpoint = Type.Object(
  { uri: uri(), authentication: Type.Optional(Authentication) },
  { additionalProperties: false },
);

/** `call: http` (dsl-reference, "HTTP Call"). */
export const http = {
  name: 'http',
  summary: 'Makes an HTTP request',
  with: Type.Object(
    {
      method: Type.String({ minLength: 1, maxLength: 20, description: 'In any case' }),
      endpoint: Type.Union([uri(), Endpoint]),
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
  refuse: ({ endpoint }) => (isObject(endpoint) ? refusedSchemes(endpoint.authentication) : []),
  check(args) {
    const { method, endpoint } = args;
    const found: InputProblem[] = [];
    if (!isExpression(method) && !isOutboundMethod(String(method).toUpperCase()))
      found.push({ path: '/method', message: `must be one of ${outboundMethods.join(', ')}` });
    const [path, text] = isObject(endpoint) ? ['/endpoint/uri', endpoint.uri] : ['/endpoint', endpoint];
    const problem =
      typeof text === 'string' && !isExpression(text) ? urlProblem(withoutVariables(text)) : undefined;
    if (problem) found.push({ path, message: problem });
    const isAuthenticated = isObject(endpoint) && endpoint.authentication !== undefined;
    return [...found, ...headerProblems(args.headers, isAuthenticated ? ['authorization'] : [])];
  },
  expand: expandEndpoint,
  idempotent: (args) => isObject(args) && isIdempotentMethod(String(args.method).toUpperCase()),
  retry: { attempts: 5, firstPauseMs: 200 },
  queue: 'outbound',
} satisfies Verb;

const schemes = ['use', 'digest', 'oauth2', 'oidc'];

function refusedSchemes(authentication: unknown): InputProblem[] {
  if (!isObject(authentication)) return [];
  const path = '/endpoint/authentication';
  const refused = (at: string, name: string) => ({
    path: at,
    message: `\`authentication: ${name}\` is not supported yet; supported are \`basic\` and \`bearer\` with their values`,
  });
  return [
    ...schemes
      .filter((name) => Object.hasOwn(authentication, name))
      .map((name) => refused(pointer(path, name), name)),
    ...['basic', 'bearer']
      .filter((name) => isObject(authentication[name]) && Object.hasOwn(authentication[name], 'use'))
      .map((name) => refused(pointer(path, name, 'use'), `${name}.use`)),
  ];
}
