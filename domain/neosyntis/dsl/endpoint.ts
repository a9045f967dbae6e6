import { type Static, Type } from 'typebox';
import type { InputProblem } from '../../errors.ts';
import { urlProblem } from '../../outbound/request-rules.ts';
import { isExpression } from '../expressions.ts';
import { isObject } from '../json.ts';
import { Authentication, authenticationProblems, refusedGrants } from './authentication.ts';

const uri = (description: string) => Type.String({ minLength: 1, maxLength: 10_000, description });

/** Where a call goes: a URI, or one with its authentication (dsl-reference, "Endpoint"). */
export const endpointSchema = (description = 'A URI') =>
  Type.Union([
    uri(description),
    Type.Object(
      { uri: uri(description), authentication: Type.Optional(Authentication) },
      { additionalProperties: false },
    ),
  ]);
export type Endpoint = Static<ReturnType<typeof endpointSchema>>;

/** dsl-reference, "External Resource". */
export const ExternalResource = Type.Object(
  { name: Type.Optional(Type.String({ maxLength: 1_000 })), endpoint: endpointSchema() },
  { additionalProperties: false },
);

export const uriOf = (endpoint: Endpoint): string => (typeof endpoint === 'string' ? endpoint : endpoint.uri);

export const policyOf = (endpoint: Endpoint): Authentication | undefined =>
  typeof endpoint === 'string' ? undefined : endpoint.authentication;

export const refusedAtEndpoint = (endpoint: unknown, path: string): InputProblem[] =>
  isObject(endpoint) ? refusedGrants(endpoint.authentication, `${path}/authentication`) : [];

/** What the schema cannot say of an endpoint; what is an expression still is not judged. */
export function endpointProblems(
  endpoint: unknown,
  path: string,
  literal: (text: string) => string = (text) => text,
): InputProblem[] {
  const [at, text] = isObject(endpoint) ? [`${path}/uri`, endpoint.uri] : [path, endpoint];
  const problem = typeof text === 'string' && !isExpression(text) ? urlProblem(literal(text)) : undefined;
  return [
    ...(problem ? [{ path: at, message: problem }] : []),
    ...(isObject(endpoint) ? authenticationProblems(endpoint.authentication, `${path}/authentication`) : []),
  ];
}
