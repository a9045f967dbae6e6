import type { Static } from 'typebox';
import { VALUE_LIMIT_BYTES } from '../../../domain/neosyntis/runs.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { http } from '../../../domain/neosyntis/verbs/http.ts';
import { isIdempotentMethod, isPlainHeader, urlProblem } from '../../../domain/outbound/request-rules.ts';
import { unstorable } from '../../../domain/storable.ts';
import type { Json } from '../../../domain/wire.ts';
import type { OutboundClient, OutboundRequest, OutboundResponse } from '../../../drivers/outbound/port.ts';
import { beating } from './outbound/beating.ts';
import { requestFailure, verbFailure } from './outbound/failures.ts';
import { bodyOf, queryString } from './outbound/request-body.ts';
import { base64, contentOf, NotJson } from './outbound/response-content.ts';
import type { VerbImplementation } from './verbs.ts';

type Arguments = Static<typeof http.with>;

/** `call: http`: one request, repeated only where its method says that this does no more. */
export function createHttp(client: OutboundClient): VerbImplementation {
  return ({ args, timeoutMs }) =>
    beating(async (signal) => {
      const given = args as Arguments; // the caller checked it against this schema
      const request = requestOf(given);
      const what = `${request.method} ${new URL(request.url).origin}`;
      let response: OutboundResponse;
      try {
        response = await client.request({ ...request, timeoutMs, signal });
      } catch (error) {
        const isRepeatable = isIdempotentMethod(request.method);
        throw requestFailure(error, { what, isRepeatable, retried: ['connection'] });
      }
      refuseStatus(response.status, given.redirect ?? false, what);
      return storable(outputOf(response, given.output ?? 'content', what), what);
    });
}

function requestOf(args: Arguments): Pick<OutboundRequest, 'method' | 'url' | 'headers' | 'followRedirects'> {
  const { uri, authentication } =
    typeof args.endpoint === 'string'
      ? { uri: args.endpoint }
      : { authentication: undefined, ...args.endpoint };
  const problem = urlProblem(uri);
  if (problem) throw verbFailure({ kind: 'validation', detail: `http: the endpoint ${problem}.` });
  const url = new URL(uri);
  const query = queryString((args.query ?? {}) as Record<string, Json>); // the schema's scalars and lists
  if (query !== '') url.search = url.search === '' ? query : `${url.search}&${query}`;
  return {
    method: args.method.toUpperCase(),
    url: url.href,
    ...bodyOf(args.body as Json | undefined, { ...args.headers, ...authorization(authentication) }), // arguments are JSON
    followRedirects: args.redirect ?? false,
  };
}

type Authentication = Exclude<Arguments['endpoint'], string>['authentication'];

function authorization(authentication: Authentication): Record<string, string> {
  const { basic, bearer } = authentication ?? {};
  if (bearer) return { authorization: `Bearer ${bearer.token}` };
  if (!basic) return {};
  // RFC 7617, 2: the first colon ends the name.
  if (basic.username.includes(':'))
    throw verbFailure({ kind: 'validation', detail: 'http: a user name cannot hold a colon.' });
  return { authorization: `Basic ${base64(Buffer.from(`${basic.username}:${basic.password}`))}` };
}

/** The specification: 200 to 299 is well, and 300 to 399 too with `redirect`. */
function refuseStatus(status: number, allowsRedirects: boolean, what: string): void {
  if (status >= 200 && status < (allowsRedirects ? 400 : 300)) return;
  const hint = status >= 300 && status < 400 ? '; `redirect: true` follows redirects' : '';
  throw verbFailure({ kind: 'communication', status, detail: `${what} answered ${status}${hint}.` });
}

function outputOf(response: OutboundResponse, output: 'raw' | 'content' | 'response', what: string): Json {
  if (output === 'raw') return base64(response.body);
  const { request, status, headers } = response;
  try {
    const content = contentOf(response);
    if (output === 'content') return content;
    const { method, url: uri } = request;
    return {
      request: { method, uri, headers: shownHeaders(request.headers) },
      statusCode: status,
      headers,
      content,
    };
  } catch (error) {
    if (!(error instanceof NotJson)) throw error;
    throw verbFailure({
      kind: 'communication',
      detail: `${what} answered ${status} with content that says it is JSON and is not; \`output: raw\` takes it as it is.`,
    });
  }
}

/** What goes into a run's history: of headers that may hold secrets the names only. */
const shownHeaders = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, isPlainHeader(name) ? value : '***']),
  );

function storable(value: Json, what: string): Json {
  const bytes = byteLength(value);
  const wrong = unstorable(value)?.what;
  if (bytes > VALUE_LIMIT_BYTES)
    throw verbFailure({
      kind: 'communication',
      detail: `${what} answered ${bytes} bytes of JSON as a value; ${VALUE_LIMIT_BYTES} is the limit.`,
    });
  if (wrong)
    throw verbFailure({
      kind: 'communication',
      detail: `The answer of ${what} ${wrong}; \`output: raw\` takes it as it is.`,
    });
  return value;
}
