import { Client } from 'undici';
import { headerProblem, isOutboundMethod, urlProblem } from '../../domain/outbound/request-rules.ts';
import { createAddressPolicy } from './addresses.ts';
import { ACCEPT_ENCODING, readBody } from './body.ts';
import { createConnect, type Resolve, systemResolve } from './connect.ts';
import { asOutboundError } from './errors.ts';
import { type OutboundClient, OutboundError, type OutboundRequest, type OutboundResponse } from './port.ts';
import { type Hop, locationOf, redirected } from './redirects.ts';
import { createSlots } from './slots.ts';

export interface OutboundOptions {
  /** CIDR ranges that may be reached besides public addresses. */
  allow: readonly string[];
  userAgent: string;
  resolve?: Resolve;
  connectTimeoutMs?: number;
  /** Of an answer's content, decoded as well as on its way. */
  maxResponseBytes?: number;
}

const MAX_REQUEST_BYTES = 8 * 1024 * 1024;
const MAX_RESPONSE_BYTES = 8 * 1024 * 1024;
const MAX_HEADER_BYTES = 32 * 1024;
const MAX_REDIRECTS = 10;
const AT_ONCE = 64;
/** Node's timers reach no further. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * The one way out for requests that are made for users. Every hop has a connection of its own, to an address that was
 * checked for it; nothing is kept for the next request, and the environment's proxies do not count.
 */
export function createOutboundClient(options: OutboundOptions): OutboundClient {
  const { allow, userAgent, resolve = systemResolve, connectTimeoutMs = 5_000 } = options;
  const { maxResponseBytes = MAX_RESPONSE_BYTES } = options;
  const connectDeps = { mayReach: createAddressPolicy(allow), resolve, timeoutMs: connectTimeoutMs };
  const slots = createSlots(AT_ONCE);

  /** Follows redirects to the last answer. */
  async function follow(first: Hop, { followRedirects }: OutboundRequest, signal: AbortSignal) {
    let hop = first;
    for (let redirects = 0; ; redirects++) {
      const { answer, location } = await exchange(hop, followRedirects, signal).catch((error: unknown) => {
        throw redirects > 0 && error instanceof OutboundError
          ? new OutboundError(error.kind, `after a redirect, ${error.message}`, true)
          : error;
      });
      if (answer) return answer;
      if (redirects === MAX_REDIRECTS)
        throw new OutboundError('protocol', `it was redirected more than ${MAX_REDIRECTS} times`, true);
      const problem = urlProblem(location.url);
      if (problem) throw new OutboundError('forbidden', `it redirects to a URL that ${problem}`, true);
      hop = redirected(hop, location.status, new URL(location.url));
    }
  }

  /** One request and its answer, or where a redirect leads. */
  async function exchange(hop: Hop, followRedirects: boolean, signal: AbortSignal) {
    let sent = false;
    const open = createConnect(connectDeps, signal);
    const client = new Client(hop.url.origin, {
      connect: (target, callback) =>
        open(target, (...result) => {
          sent = result[0] === null;
          callback(...result);
        }),
      pipelining: 0, // no second request on this connection
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: 0, // the signal has the limit of everything
      bodyTimeout: 0,
    });
    // An abort signal of undici counts only once there is a connection.
    const giveUp = () => void client.destroy(new Error('aborted')).catch(() => {});
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const { statusCode, headers, body } = await client.request({
        method: hop.method,
        path: `${hop.url.pathname}${hop.url.search}`,
        headers: hop.headers,
        body: hop.body ?? null,
      });
      const flat = flatten(headers);
      const target = followRedirects ? locationOf(statusCode, flat.location, hop.url) : undefined;
      if (target !== undefined) return { location: { status: statusCode, url: target } };
      const content = await readBody(body, flat['content-encoding'], maxResponseBytes);
      return { answer: answerOf(hop, statusCode, flat, content) };
    } catch (error) {
      throw asOutboundError(error, sent);
    } finally {
      signal.removeEventListener('abort', giveUp);
      client.destroy().catch(() => {}); // the request is over, whatever became of it
    }
  }

  return {
    async request(request) {
      const hop = readRequest(request, userAgent);
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), Math.min(request.timeoutMs, MAX_TIMER_MS));
      const signal = AbortSignal.any([late.signal, ...(request.signal ? [request.signal] : [])]);
      let release: (() => void) | undefined;
      try {
        release = await slots.take(signal);
        return await follow(hop, request, signal);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (!late.signal.aborted) throw error;
        const sent = error instanceof OutboundError && error.sent;
        throw new OutboundError('timeout', `there was no whole answer within ${request.timeoutMs} ms`, sent);
      } finally {
        clearTimeout(timer);
        release?.();
      }
    },
  };
}

/** @throws OutboundError of kind `invalid`. */
function readRequest({ method, url, headers, body }: OutboundRequest, userAgent: string): Hop {
  const refuse = (message: string) => new OutboundError('invalid', message);
  if (!isOutboundMethod(method)) throw refuse(`${method.slice(0, 20)} is not a method that can be sent`);
  const problem = urlProblem(url);
  if (problem) throw refuse(`the URL ${problem}`);
  for (const [name, value] of Object.entries(headers)) {
    const wrong = headerProblem(name, value);
    if (wrong) throw refuse(`the header "${name.slice(0, 60)}" ${wrong}`);
  }
  if (body !== undefined && Buffer.byteLength(body) > MAX_REQUEST_BYTES)
    throw refuse(`the body is larger than ${MAX_REQUEST_BYTES} bytes`);
  const given = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  const own = Object.entries({ 'user-agent': userAgent, accept: '*/*', 'accept-encoding': ACCEPT_ENCODING });
  return {
    method,
    url: new URL(url),
    headers: { ...Object.fromEntries(own.filter(([name]) => !given.has(name))), ...headers },
    body,
  };
}

const flatten = (headers: Record<string, string | string[] | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value ?? ''].flat().join(', ')]),
  );

function answerOf(
  { method, url, headers }: Hop,
  status: number,
  answered: Record<string, string>,
  body: Uint8Array,
): OutboundResponse {
  const { origin, pathname, search } = url;
  return {
    status,
    headers: answered,
    body,
    request: { method, url: `${origin}${pathname}${search}`, headers: { ...headers } },
  };
}
