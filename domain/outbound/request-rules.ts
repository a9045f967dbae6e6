/** What a request that is made for a user must hold to, whoever checks it: the definition, the verb or the client. */

export const MAX_URL_LENGTH = 8_000;

export const outboundMethods = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'POST', 'PATCH'] as const;
export type OutboundMethod = (typeof outboundMethods)[number];

export const isOutboundMethod = (method: string): method is OutboundMethod =>
  (outboundMethods as readonly string[]).includes(method);

/** Whether a second request does no more than the first one (RFC 9110, 9.2.2). */
export const isIdempotentMethod = (method: string): boolean =>
  isOutboundMethod(method) && method !== 'POST' && method !== 'PATCH';

/** What is wrong with a URL, without saying the URL: it may hold what nobody should read. */
export function urlProblem(text: string): string | undefined {
  if (text.length > MAX_URL_LENGTH) return `has ${text.length} characters; ${MAX_URL_LENGTH} is the limit`;
  // The URL standard drops or turns these silently, so that one reads another address than is meant.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u0020\u007f\\]/.test(text)) return 'holds a space, a backslash or a control character';
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1];
  if (scheme !== undefined && !/^https?$/i.test(scheme))
    return `has the scheme ${scheme.slice(0, 20)}; only http and https are possible`;
  if (!/^https?:\/\/[^/]/i.test(text) || !URL.canParse(text))
    return 'is not an absolute URL such as https://example.org/path';
  const { username, password } = new URL(text);
  if (username !== '' || password !== '' || /^https?:\/\/[^/?#]*@/i.test(text))
    return 'holds a user name or password: give them as `authentication` or in a header';
  return undefined;
}

/** They belong to the connection (RFC 9110, 7.6.1) or are made by the client; to set them is to smuggle requests. */
const ownedByClient = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What is wrong with a header, without saying its value. */
export function headerProblem(name: string, value: string): string | undefined {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/.test(name)) return 'is not a header name';
  const key = name.toLowerCase();
  if (ownedByClient.has(key) || key.startsWith('proxy-')) return 'is a header that cannot be set';
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
    return 'has a value with line ends, control characters or letters outside of Latin-1';
  return undefined;
}

/** Headers that say nothing secret: all others stay behind on another origin, and are not shown. */
const plainHeaders = new Set([
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'content-encoding',
  'content-language',
  'content-type',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-unmodified-since',
  'prefer',
  'range',
  'user-agent',
]);

export const isPlainHeader = (name: string): boolean => plainHeaders.has(name.toLowerCase());
