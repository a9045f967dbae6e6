import { createHash, randomBytes } from 'node:crypto';

export interface DigestRequest {
  username: string;
  password: string;
  method: string;
  /** Path and query as they are sent. */
  target: string;
  /** Only tests choose it. */
  cnonce?: string;
}

/** Those of the registry that Node has, the best one first. */
const hashes: Record<string, string> = { 'sha-512-256': 'sha512-256', 'sha-256': 'sha256', md5: 'md5' };

interface Challenge {
  scheme: string;
  params: Record<string, string>;
}

/**
 * The `Authorization` that answers a challenge (RFC 7616) for one request.
 * @param header `WWW-Authenticate`, with all its challenges.
 * @returns nothing when none of them is one that can be answered: Digest with qop `auth` or without qop.
 */
export function digestAuthorization(header: string, request: DigestRequest): string | undefined {
  const offers = challenges(header)
    .filter(({ scheme, params }) => scheme === 'digest' && params.nonce !== undefined)
    .map(({ params }) => ({ params, ...algorithmOf(params.algorithm) }))
    .filter(({ hash, params }) => hash !== undefined && (params.qop === undefined || takesAuth(params.qop)));
  const order = Object.values(hashes);
  const [best] = offers.sort((a, b) => order.indexOf(a.hash ?? '') - order.indexOf(b.hash ?? ''));
  return best?.hash === undefined ? undefined : answer(best.params, best.hash, best.isSession, request);
}

const takesAuth = (qop: string) =>
  qop
    .toLowerCase()
    .split(',')
    .some((one) => one.trim() === 'auth');

function algorithmOf(name = 'MD5'): { hash: string | undefined; isSession: boolean } {
  const [, base = '', session] = /^(.*?)(-sess)?$/.exec(name.toLowerCase()) ?? [];
  return { hash: Object.hasOwn(hashes, base) ? hashes[base] : undefined, isSession: session !== undefined };
}

function answer(
  params: Record<string, string>,
  hash: string,
  isSession: boolean,
  { username, password, method, target, cnonce = randomBytes(16).toString('hex') }: DigestRequest,
): string {
  const h = (text: string) => createHash(hash).update(text).digest('hex');
  const { realm = '', nonce = '', qop, opaque, algorithm } = params;
  const secret = h(`${username}:${realm}:${password}`);
  const first = isSession ? h(`${secret}:${nonce}:${cnonce}`) : secret;
  const second = h(`${method}:${target}`);
  const count = '00000001'; // a nonce is used once
  const response =
    qop === undefined
      ? h(`${first}:${nonce}:${second}`)
      : h(`${first}:${nonce}:${count}:${cnonce}:auth:${second}`);
  const isHashed = params.userhash?.toLowerCase() === 'true';
  const needsCnonce = qop !== undefined || isSession;
  return `Digest ${[
    isHashed ? `username="${h(`${username}:${realm}`)}"` : named(username),
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    `uri=${quoted(target)}`,
    `response="${response}"`,
    ...(algorithm === undefined ? [] : [`algorithm=${algorithm}`]),
    ...(opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]),
    ...(needsCnonce ? [`cnonce="${cnonce}"`] : []),
    ...(qop === undefined ? [] : ['qop=auth', `nc=${count}`]),
    ...(isHashed ? ['userhash=true'] : []),
  ].join(', ')}`;
}

const quoted = (text: string) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;

/** RFC 7616, 3.4: a name outside of ASCII has a form of its own. */
const named = (username: string) =>
  /^[\x20-\x7e]*$/.test(username)
    ? `username=${quoted(username)}`
    : `username*=UTF-8''${encodeURIComponent(username)}`;

const word = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";

/** The challenges of a `WWW-Authenticate` (RFC 9110, 11.6.1); what cannot be read is left out. */
function challenges(header: string): Challenge[] {
  const item = new RegExp(`[\\s,]*(${word})(?:\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${word})))?`, 'y');
  const found: Challenge[] = [];
  const text = header.slice(0, 16_000);
  for (let at = 0; at < text.length; ) {
    item.lastIndex = at;
    const [whole, name = '', quotedValue, plain] = item.exec(text) ?? [];
    at = whole ? item.lastIndex : at + 1; // what else stands there, such as padding
    if (!whole) continue;
    const value = quotedValue?.replaceAll(/\\(.)/g, '$1') ?? plain;
    if (value === undefined) found.push({ scheme: name.toLowerCase(), params: {} });
    else found.at(-1)?.params && Object.assign(found.at(-1)?.params ?? {}, { [name.toLowerCase()]: value });
  }
  return found;
}
