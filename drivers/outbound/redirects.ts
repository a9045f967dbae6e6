import { isPlainHeader } from '../../domain/outbound/request-rules.ts';
import { OutboundError } from './port.ts';

/** One request on the way: the first one, or one that a redirect led to. */
export interface Hop {
  method: string;
  url: URL;
  headers: Readonly<Record<string, string>>;
  body: string | Uint8Array | undefined;
}

/**
 * Where an answer leads (RFC 9110, 15.4), as it is written there; undefined when it leads nowhere.
 * A URL that cannot be read is given as it is, for its reader to refuse.
 */
export function locationOf(status: number, location: string | undefined, base: URL): string | undefined {
  if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return undefined;
  return URL.canParse(location, base.href) ? new URL(location, base.href).href : location;
}

/**
 * The request to make there. 303 asks for a GET, and 301 and 302 do of a POST, by custom; 307 and 308 repeat it.
 * On another origin only headers that say nothing secret go along.
 * @throws OutboundError `forbidden` where a body that went out encrypted would be repeated in clear.
 */
export function redirected(hop: Hop, status: number, url: URL): Hop {
  const becomesGet =
    (status === 303 && hop.method !== 'GET' && hop.method !== 'HEAD') ||
    ((status === 301 || status === 302) && hop.method === 'POST');
  const body = becomesGet ? undefined : hop.body;
  if (body !== undefined && hop.url.protocol === 'https:' && url.protocol !== 'https:')
    throw new OutboundError('forbidden', 'it redirects a request with a body from https to http', true);
  const headers = Object.entries(hop.headers).filter(
    ([name]) =>
      (url.origin === hop.url.origin || isPlainHeader(name)) &&
      !(becomesGet && name.toLowerCase().startsWith('content-')),
  );
  return {
    method: becomesGet ? 'GET' : hop.method,
    url,
    headers: Object.fromEntries(headers),
    body,
  };
}
