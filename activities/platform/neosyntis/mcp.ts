import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { ApplicationFailure } from '@temporalio/activity';
import { policyOf, uriOf } from '../../../domain/neosyntis/dsl/endpoint.ts';
import { durationMs } from '../../../domain/neosyntis/duration.ts';
import { type McpArguments, USUAL_VERSION } from '../../../domain/neosyntis/verbs/mcp.ts';
import { urlProblem } from '../../../domain/outbound/request-rules.ts';
import type { Json } from '../../../domain/wire.ts';
import { createGuardedFetch, type GuardedFetch } from '../../../drivers/outbound/fetch.ts';
import { OutboundError } from '../../../drivers/outbound/port.ts';
import type { Authenticated, Authenticator } from './outbound/authentication.ts';
import { beating } from './outbound/beating.ts';
import { storable } from './outbound/exchange.ts';
import { requestFailure, verbFailure } from './outbound/failures.ts';
import type { VerbImplementation } from './verbs.ts';

/** `call: mcp`: one session with one request in it, over streamable HTTP. */
export function createMcp(authenticator: Authenticator, version: string): VerbImplementation {
  return ({ args, timeoutMs, runId }) =>
    beating(async (signal) => {
      const given = args as McpArguments; // the caller checked it against this schema
      // The workflow gives what is written out as `stdio` to a host: this one came of an expression.
      if (!given.transport.http)
        throw verbFailure({
          kind: 'configuration',
          detail: 'mcp: `transport.stdio` must be written out in the definition.',
        });
      const { endpoint } = given.transport.http;
      const problem = urlProblem(uriOf(endpoint));
      if (problem) throw verbFailure({ kind: 'validation', detail: `mcp: the endpoint ${problem}.` });
      const own = given.timeout === undefined ? undefined : durationMs(given.timeout);
      const limitMs = typeof own === 'number' ? Math.min(timeoutMs, Math.max(1, own)) : timeoutMs;
      const sender = authenticator(policyOf(endpoint), runId);
      try {
        const result = await ask(sender, given, given.transport.http, { limitMs, signal, version });
        return sender.hide(storable(result, `${given.method} of ${new URL(uriOf(endpoint)).origin}`));
      } catch (error) {
        throw sender.hideIn(error);
      }
    });
}

interface Limits {
  limitMs: number;
  signal: AbortSignal;
  version: string;
}

async function ask(
  sender: Authenticated,
  given: McpArguments,
  { endpoint, headers = {} }: NonNullable<McpArguments['transport']['http']>,
  { limitMs, signal, version }: Limits,
): Promise<Json> {
  // Their weight is for those who use them.
  const [{ Client }, { StreamableHTTPClientTransport, StreamableHTTPError }, types] = await Promise.all([
    import('@modelcontextprotocol/sdk/client/index.js'),
    import('@modelcontextprotocol/sdk/client/streamableHttp.js'),
    import('@modelcontextprotocol/sdk/types.js'),
  ]);
  const url = new URL(uriOf(endpoint));
  const what = `${given.method} of ${url.origin}`;
  const endsAt = Date.now() + limitMs;
  let asked = false;
  const send = createGuardedFetch(
    { request: (request) => sender.request({ ...request, signal: request.signal ?? signal }) },
    {
      timeoutMs: limitMs,
      signal,
      // Servers may offer a stream of their own news; a run has no use for it.
      instead: (method) => (method === 'GET' ? new Response(null, { status: 405 }) : undefined),
    },
  );
  const client = new Client(given.client ?? { name: 'vareon', version });
  const transport = new StreamableHTTPClientTransport(url, {
    fetch: offering(send, given.protocolVersion ?? USUAL_VERSION),
    requestInit: {
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
    },
  });
  const options = () => ({ timeout: Math.max(1, endsAt - Date.now()), signal });
  try {
    await client.connect(transport as unknown as Parameters<typeof client.connect>[0], options()); // optional fields
    asked = true;
    const request = { method: given.method, ...(given.parameters ? { params: given.parameters } : {}) };
    return (await client.request(request, types.ResultSchema, options())) as Json; // it came as JSON
  } catch (error) {
    throw failureOf(signal.aborted ? signal.reason : error, what, asked && given.method === 'tools/call');
  } finally {
    // The answer is there: who does not take the farewell forgets the session by itself.
    if (transport.sessionId !== undefined) await transport.terminateSession().catch(() => {});
    await client.close().catch(() => {});
  }

  function failureOf(error: unknown, what: string, mayHaveEffect: boolean): unknown {
    if (error instanceof OutboundError || signal.aborted)
      return requestFailure(error, { what, isRepeatable: !mayHaveEffect, retried: ['connection'] });
    if (error instanceof types.McpError) {
      if (error.code === types.ErrorCode.RequestTimeout)
        return verbFailure({
          kind: 'timeout',
          detail: `${what}: there was no answer within ${limitMs} ms.`,
          outcomeUnknown: mayHaveEffect,
        });
      return verbFailure({
        kind: 'runtime',
        detail: `${what}: JSON-RPC error ${error.code}: ${words(error)}`,
      });
    }
    if (error instanceof StreamableHTTPError) {
      const status = error.code !== undefined && error.code >= 100 ? error.code : undefined;
      const kind = status === 401 && sender.authenticates ? 'authentication' : 'communication';
      const detail =
        status === undefined ? `${what}: the answer is none of the protocol.` : `${what} answered ${status}.`;
      return verbFailure({ kind, detail, ...(status === undefined ? {} : { status }) });
    }
    if (error instanceof ApplicationFailure) return error;
    return verbFailure({
      kind: 'communication',
      detail: `${what}: the answer is none of the protocol.`,
      outcomeUnknown: mayHaveEffect,
    });
  }
}

const words = ({ message, data }: { message: string; data?: unknown }) =>
  `${message.replace(/^(MCP error -?\d+: )+/, '')}${data === undefined ? '' : ` (${JSON.stringify(data)})`}`.slice(
    0,
    2_000,
  );

/** The library offers the newest version of the protocol; a definition says which one it was written for. */
const offering =
  (
    send: GuardedFetch,
    protocolVersion: string,
  ): ((url: string | URL, init?: RequestInit) => Promise<Response>) =>
  (url, init) => {
    if (typeof init?.body !== 'string' || !init.body.includes('"initialize"')) return send(url, init);
    const message = JSON.parse(init.body) as JSONRPCMessage; // the library wrote it
    if (!('method' in message) || message.method !== 'initialize') return send(url, init);
    const params = { ...message.params, protocolVersion };
    return send(url, { ...init, body: JSON.stringify({ ...message, params }) });
  };
