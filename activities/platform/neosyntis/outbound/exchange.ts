import { VALUE_LIMIT_BYTES } from '../../../../domain/neosyntis/runs.ts';
import { byteLength } from '../../../../domain/neosyntis/shown.ts';
import { isIdempotentMethod, isPlainHeader } from '../../../../domain/outbound/request-rules.ts';
import { unstorable } from '../../../../domain/storable.ts';
import type { Json } from '../../../../domain/wire.ts';
import type { OutboundResponse } from '../../../../drivers/outbound/port.ts';
import type { Authenticated, SentRequest } from './authentication.ts';
import { requestFailure, verbFailure } from './failures.ts';
import { base64, contentOf, NotJson } from './response-content.ts';

/** What a call puts out of its answer. */
export interface Shape {
  output: 'raw' | 'content' | 'response';
  /** Whether redirects are followed, and a 3xx is well. */
  redirect: boolean;
}

/** One request and what it puts out, without the tokens that it took. */
export async function exchange(
  sender: Authenticated,
  request: Omit<SentRequest, 'followRedirects'>,
  { output, redirect }: Shape,
): Promise<Json> {
  const what = `${request.method} ${new URL(request.url).origin}`;
  try {
    const response = await sender
      .request({ ...request, followRedirects: redirect })
      .catch((error: unknown) => {
        const isRepeatable = isIdempotentMethod(request.method);
        throw requestFailure(error, { what, isRepeatable, retried: ['connection'] });
      });
    refuseStatus(response.status, redirect, what, sender.authenticates);
    return sender.hide(storable(outputOf(response, output, what), what));
  } catch (error) {
    throw sender.hideIn(error);
  }
}

/** The specification: 200 to 299 is well, and 300 to 399 too with `redirect`. */
function refuseStatus(status: number, allowsRedirects: boolean, what: string, authenticates: boolean): void {
  if (status >= 200 && status < (allowsRedirects ? 400 : 300)) return;
  const hint = status >= 300 && status < 400 ? '; `redirect: true` follows redirects' : '';
  const kind = status === 401 && authenticates ? 'authentication' : 'communication';
  throw verbFailure({ kind, status, detail: `${what} answered ${status}${hint}.` });
}

function outputOf(response: OutboundResponse, output: Shape['output'], what: string): Json {
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

export function storable(value: Json, what: string): Json {
  // Before its length: of what is too deep nobody knows that.
  const wrong = unstorable(value)?.what;
  const bytes = wrong === undefined ? byteLength(value) : 0;
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
