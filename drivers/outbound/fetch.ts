import type { OutboundClient } from './port.ts';

export interface FetchLimits {
  /** Of each request. */
  timeoutMs: number;
  signal?: AbortSignal;
  followRedirects?: boolean;
  /** Asked of each request before it is sent; what it gives is the answer. */
  instead?(method: string): Response | undefined;
}

/** What libraries give: any of it may be undefined. */
export interface FetchInit {
  method?: string | undefined;
  headers?: ConstructorParameters<typeof Headers>[0];
  body?: unknown;
  signal?: AbortSignal | null | undefined;
}

export type GuardedFetch = (input: string | URL, init?: FetchInit) => Promise<Response>;

/** Statuses whose answers have no content (Fetch, "null body status"). */
const withoutContent = [101, 103, 204, 205, 304];

/**
 * `fetch` for libraries that make requests for users: each goes by the guarded client, and is read whole.
 * @throws OutboundError
 */
export const createGuardedFetch =
  (
    client: OutboundClient,
    { timeoutMs, signal, followRedirects = false, instead }: FetchLimits,
  ): GuardedFetch =>
  async (input, init = {}) => {
    const method = (init.method ?? 'GET').toUpperCase();
    const own = instead?.(method);
    if (own) return own;
    const body = init.body instanceof URLSearchParams ? init.body.toString() : init.body;
    if (body !== undefined && body !== null && typeof body !== 'string')
      throw new TypeError('only text can be sent');
    const signals = [signal, init.signal].filter((one) => one instanceof AbortSignal);
    const response = await client.request({
      method,
      url: String(input),
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(typeof body === 'string' ? { body } : {}),
      followRedirects,
      timeoutMs,
      ...(signals.length > 0 ? { signal: AbortSignal.any(signals) } : {}),
    });
    const { 'content-encoding': _decoded, 'content-length': _other, ...headers } = response.headers;
    const content = withoutContent.includes(response.status) ? null : new Uint8Array(response.body);
    return new Response(content, { status: response.status, headers });
  };
