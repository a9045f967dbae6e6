import type { Static } from 'typebox';
import { policyOf, uriOf } from '../../../domain/neosyntis/dsl/endpoint.ts';
import type { http } from '../../../domain/neosyntis/verbs/http.ts';
import { urlProblem } from '../../../domain/outbound/request-rules.ts';
import type { Json } from '../../../domain/wire.ts';
import type { OutboundRequest } from '../../../drivers/outbound/port.ts';
import type { Authenticator } from './outbound/authentication.ts';
import { beating } from './outbound/beating.ts';
import { exchange } from './outbound/exchange.ts';
import { verbFailure } from './outbound/failures.ts';
import { bodyOf, queryString } from './outbound/request-body.ts';
import type { VerbImplementation } from './verbs.ts';

type Arguments = Static<typeof http.with>;

/** `call: http`: one request, repeated only where its method says that this does no more. */
export function createHttp(authenticator: Authenticator): VerbImplementation {
  return ({ args, timeoutMs, runId }) =>
    beating(async (signal) => {
      const given = args as Arguments; // the caller checked it against this schema
      const { endpoint, output = 'content', redirect = false } = given;
      const sender = authenticator(policyOf(endpoint), runId);
      return exchange(sender, { ...requestOf(given), timeoutMs, signal }, { output, redirect });
    });
}

function requestOf(args: Arguments): Pick<OutboundRequest, 'method' | 'url' | 'headers' | 'body'> {
  const uri = uriOf(args.endpoint);
  const problem = urlProblem(uri);
  if (problem) throw verbFailure({ kind: 'validation', detail: `http: the endpoint ${problem}.` });
  const url = new URL(uri);
  const query = queryString((args.query ?? {}) as Record<string, Json>); // the schema's scalars and lists
  if (query !== '') url.search = url.search === '' ? query : `${url.search}&${query}`;
  return {
    method: args.method.toUpperCase(),
    url: url.href,
    ...bodyOf(args.body as Json | undefined, args.headers ?? {}), // arguments are JSON
  };
}
