import { ok, type Reply, type RequestInfo } from './route.ts';

/**
 * Answers a list, newest first, with the next page in `Link` (RFC 8288) when `limit` was asked for and filled.
 * @param query the request's query, repeated in the link.
 * @param more there is more than the list could hold, whatever was asked for.
 */
export function pageReply(
  items: readonly { id: string }[],
  query: { limit?: number; cursor?: string; [name: string]: unknown },
  request: Pick<RequestInfo, 'path'>,
  more = false,
): Reply {
  return pageUpTo(items.at(-1)?.id, items, query, request, more);
}

/** As pageReply(), of things without an id: `cursor` tells the last one. */
export function pageUpTo(
  cursor: string | undefined,
  items: readonly unknown[],
  query: { limit?: number; cursor?: string; [name: string]: unknown },
  request: Pick<RequestInfo, 'path'>,
  more = false,
): Reply {
  const isFull = query.limit !== undefined && items.length >= query.limit;
  if (cursor === undefined || !(isFull || more)) return ok(items);
  const next = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...query, cursor }))
    for (const one of [value].flat()) if (one !== undefined) next.append(name, String(one));
  return ok(items, { Link: `<${request.path}?${next}>; rel="next"` });
}
