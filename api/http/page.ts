import { ok, type Reply, type RequestInfo } from './route.ts';

/**
 * Answers a list, newest first, with the next page in `Link` (RFC 8288) when `limit` was asked for and filled.
 * @param query the request's query, repeated in the link.
 */
export function pageReply(
  items: readonly { id: string }[],
  query: { limit?: number; cursor?: string; [name: string]: unknown },
  request: Pick<RequestInfo, 'path'>,
): Reply {
  const last = items.at(-1);
  if (query.limit === undefined || items.length < query.limit || !last) return ok(items);
  const next = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...query, cursor: last.id }))
    if (value !== undefined) next.set(name, String(value));
  return ok(items, { Link: `<${request.path}?${next}>; rel="next"` });
}
