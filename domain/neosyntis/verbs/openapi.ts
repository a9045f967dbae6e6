import { type Static, Type } from 'typebox';
import { isIdempotentMethod } from '../../outbound/request-rules.ts';
import { Authentication, authenticationProblems, refusedGrants } from '../dsl/authentication.ts';
import { ExternalResource, endpointProblems, refusedAtEndpoint } from '../dsl/endpoint.ts';
import { isObject } from '../json.ts';
import type { Verb } from '../verbs.ts';

const endpointOf = ({ document }: Record<string, unknown>) =>
  isObject(document) ? document.endpoint : undefined;

/** `call: openapi` (dsl-reference, "OpenAPI Call"). Its first part finds the operation, its second one makes the request. */
export const openapi = {
  name: 'openapi',
  summary: 'Calls an operation of an OpenAPI document',
  with: Type.Object(
    {
      document: ExternalResource,
      operationId: Type.String({ minLength: 1, maxLength: 1_000 }),
      parameters: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { maxProperties: 1_000 })),
      authentication: Type.Optional(Authentication),
      output: Type.Optional(
        Type.Union([Type.Literal('raw'), Type.Literal('content'), Type.Literal('response')]),
      ),
      redirect: Type.Optional(Type.Boolean()),
    },
    { additionalProperties: false },
  ),
  refuse: (args) => [
    ...refusedGrants(args.authentication, '/authentication'),
    ...refusedAtEndpoint(endpointOf(args), '/document/endpoint'),
  ],
  check: (args) => [
    ...endpointProblems(endpointOf(args), '/document/endpoint'),
    ...authenticationProblems(args.authentication, '/authentication'),
  ],
  policyIn: ['authentication'],
  prepares: true,
  idempotent: (_args, operation) =>
    isObject(operation) && isIdempotentMethod(String(operation.method).toUpperCase()),
  retry: { attempts: 5, firstPauseMs: 200 },
  queue: 'outbound',
} satisfies Verb;

export type OpenApiArguments = Static<typeof openapi.with>;

export type ParameterPlace = 'path' | 'query' | 'header' | 'cookie';

export interface OperationParameter {
  name: string;
  in: ParameterPlace;
  required: boolean;
  style: string;
  explode: boolean;
  /** Sent as JSON, whatever its style. */
  json: boolean;
}

/** What a document says of one operation, as far as a request needs it; it goes into the run's history. */
export interface Operation {
  /** Upper case. */
  method: string;
  /** With `{name}` where path parameters go. */
  url: string;
  parameters: OperationParameter[];
  body?: {
    required: boolean;
    type: string;
    /** What `parameters` may call it besides `body`. */
    name?: string;
    /** Of a form: names that `parameters` may give one by one. */
    fields: string[];
  };
}
