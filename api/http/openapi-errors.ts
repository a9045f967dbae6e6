import { type ErrorCode, errorCodes, errorInfo } from '../../domain/errors.ts';
import type { Json, JsonObject } from './openapi-schemas.ts';
import { problemType } from './problems.ts';
import type { Route } from './route.ts';

/** Codes that a route can answer with: those that its shape brings about, and those that it declares. */
export function errorsOf(
  route: Pick<Route, 'access' | 'params' | 'body' | 'binaryBody' | 'errors'>,
): ErrorCode[] {
  const codes = new Set<ErrorCode>([
    ...(route.access === 'public' ? [] : (['unauthenticated'] as const)),
    ...(route.access === 'public' || route.access === 'host' ? [] : (['forbidden'] as const)),
    ...(route.params ? (['not_found'] as const) : []),
    ...(route.body ? (['bad_request', 'too_large', 'unsupported_media_type'] as const) : []),
    ...(route.binaryBody ? (['too_large'] as const) : []),
    // A query that a route does not know is refused too.
    'invalid',
    // Whoever sends too slowly or too long headers is answered before it is known what is asked for.
    'request_timeout',
    'headers_too_large',
    'internal',
    'unavailable',
    ...(route.errors ?? []),
  ]);
  return errorCodes.filter((code) => codes.has(code));
}

const details: Partial<Record<ErrorCode, string>> = {
  bad_request: 'The body is not JSON that can be accepted: Unexpected end of JSON input',
  unauthenticated: 'This needs a login: send Authorization: Bearer <token>.',
  forbidden: 'This needs the permission system:hosts:write, which ada does not have.',
  not_found: 'There is nothing at /api/hosts/nowhere.',
  request_timeout: 'The request took too long: 10 s for its headers, 60 s for all of it.',
  conflict: 'A host "local" is online. Choose another name.',
  precondition_failed: 'If-Match is "3", but now it is "4": read it again.',
  too_large: 'The body is larger than 1048576 bytes.',
  unsupported_media_type: 'The body is text/plain; send application/json.',
  invalid: 'The query has a problem: limit must be <= 200',
  rate_limited: 'Too many attempts; try again in 30 s.',
  headers_too_large: 'The headers are larger than 16 KiB.',
  internal: 'Something went wrong on our side; the request id finds it in the log.',
  unavailable: 'The database cannot be reached; try again.',
};

/** One shared response for each code, as problem details (RFC 9457). */
export function errorResponses(problemSchema: Json): JsonObject {
  return Object.fromEntries(
    errorCodes.map((code) => {
      const { status, title } = errorInfo(code);
      const example: JsonObject = {
        type: problemType(code),
        title,
        status,
        detail: details[code] ?? `${title}.`,
        code,
        request_id: '019a9b4c-5d6e-7f80-8a1b-2c3d4e5f6072',
        ...(code === 'invalid' ? { errors: [{ path: '/limit', message: 'limit must be <= 200' }] } : {}),
      };
      const response: JsonObject = {
        description: title,
        headers: headersOf(code),
        content: { 'application/problem+json': { schema: problemSchema, example } },
      };
      return [code, response];
    }),
  );
}

function headersOf(code: ErrorCode): JsonObject {
  const retry: JsonObject = { 'Retry-After': { description: 'seconds', schema: { type: 'integer' } } };
  return {
    'X-Request-Id': { $ref: '#/components/headers/RequestId' },
    ...(code === 'unauthenticated'
      ? { 'WWW-Authenticate': { schema: { type: 'string' }, example: 'Bearer' } }
      : {}),
    ...(code === 'rate_limited' || code === 'unavailable' ? retry : {}),
  };
}

/** References to them for an operation, by status. */
export const errorReferences = (codes: readonly ErrorCode[]): JsonObject =>
  Object.fromEntries(
    codes.map((code) => [String(errorInfo(code).status), { $ref: `#/components/responses/${code}` }]),
  );
