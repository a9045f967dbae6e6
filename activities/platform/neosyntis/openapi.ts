import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { policyOf, uriOf } from '../../../domain/neosyntis/dsl/endpoint.ts';
import type { OpenApiArguments, Operation } from '../../../domain/neosyntis/verbs/openapi.ts';
import type { Json } from '../../../domain/wire.ts';
import { readDocument } from './openapi/document.ts';
import { findOperation } from './openapi/operation.ts';
import { requestOf } from './openapi/request.ts';
import type { Authenticator, SentRequest } from './outbound/authentication.ts';
import { beating } from './outbound/beating.ts';
import { exchange } from './outbound/exchange.ts';
import { requestFailure, verbFailure } from './outbound/failures.ts';
import type { VerbCall, VerbImplementation } from './verbs.ts';

export interface OpenApiDeps {
  authenticator: Authenticator;
  ownerOf(runId: string): Promise<string | undefined>;
}

/** A document that changes counts after this time; what was found in it is kept, not the document. */
const KEPT_MS = 60_000;

/**
 * `call: openapi`, in two parts: the first one reads the document and gives the operation, the second one makes the
 * request by that. So the document is not read again between, and what may be repeated is known by then.
 */
export function createOpenApi({ authenticator, ownerOf }: OpenApiDeps): VerbImplementation {
  const operations = new LRUCache<string, Operation>({ max: 1_000, ttl: KEPT_MS });

  async function find({ runId, timeoutMs }: VerbCall, given: OpenApiArguments, signal: AbortSignal) {
    const { document, operationId } = given;
    const key = createHash('sha256')
      .update(JSON.stringify([(await ownerOf(runId)) ?? runId, document.endpoint, operationId]))
      .digest('hex');
    const kept = operations.get(key);
    if (kept) return kept;
    const asked = { method: 'GET', url: uriOf(document.endpoint), headers: {}, timeoutMs, signal };
    const { body, url } = await fetched(asked, document.endpoint, runId);
    const operation = findOperation(await readDocument(body, new URL(url).origin), operationId, url);
    operations.set(key, operation);
    return operation;
  }

  async function fetched(
    request: Omit<SentRequest, 'followRedirects'>,
    endpoint: OpenApiArguments['document']['endpoint'],
    runId: string,
  ) {
    const what = `GET ${new URL(request.url).origin}, the OpenAPI document`;
    try {
      const sender = authenticator(policyOf(endpoint), runId);
      const { status, body, request: last } = await sender.request({ ...request, followRedirects: true });
      if (status === 200) return { body, url: last.url };
      const kind = status === 401 && sender.authenticates ? 'authentication' : 'communication';
      throw verbFailure({ kind, status, detail: `${what}: it answered ${status}.` });
    } catch (error) {
      throw requestFailure(error, { what, isRepeatable: true, retried: ['connection'] });
    }
  }

  return (call) =>
    beating(async (signal) => {
      const given = call.args as OpenApiArguments; // the caller checked it against this schema
      if (call.prepares) return (await find(call, given, signal)) as unknown as Json; // it is JSON
      const operation = call.prepared as unknown as Operation; // what the first part gave
      const { authentication, output = 'content', redirect = false } = given;
      const request = requestOf(operation, (given.parameters ?? {}) as Record<string, Json>);
      const sender = authenticator(authentication, call.runId);
      return exchange(sender, { ...request, timeoutMs: call.timeoutMs, signal }, { output, redirect });
    });
}
