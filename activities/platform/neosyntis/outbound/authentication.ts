import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Authentication, TokenPolicy } from '../../../../domain/neosyntis/dsl/authentication.ts';
import { isIdempotentMethod } from '../../../../domain/outbound/request-rules.ts';
import type { Json } from '../../../../domain/wire.ts';
import { digestAuthorization } from '../../../../drivers/outbound/digest.ts';
import type { OutboundClient, OutboundRequest, OutboundResponse } from '../../../../drivers/outbound/port.ts';
import { NoToken, requestToken, type TokenRequest } from '../../../../drivers/outbound/tokens.ts';
import type { KnownSecrets } from '../../../../drivers/secrets/known.ts';
import { createMasker, type Masker } from '../../../../drivers/secrets/mask.ts';
import { maskedFailure } from '../../../masked-failure.ts';
import { requestFailure, verbFailure } from './failures.ts';
import { base64 } from './response-content.ts';

export interface AuthenticatorDeps {
  client: OutboundClient;
  /** Tokens of one are never given to another. */
  ownerOf(runId: string): Promise<string | undefined>;
  /** What the process's log leaves out. */
  known: KnownSecrets;
}

export type SentRequest = OutboundRequest & { signal: AbortSignal };

/** `$authorization` (dsl.md, "Authorization Descriptor"). */
export interface Authorization {
  scheme: string;
  parameter: string;
}

/** Makes requests of one step under one policy. */
export interface Authenticated {
  /** @throws OutboundError, or a failure of kind `authentication`. */
  request(request: SentRequest): Promise<OutboundResponse>;
  /** Scheme and parameter of the header that it would send; null when it sends none at first. */
  authorization(limits: Pick<SentRequest, 'timeoutMs' | 'signal'>): Promise<Authorization | null>;
  /** Whether it says who asks. */
  authenticates: boolean;
  /** A value without the tokens that this took. */
  hide(value: Json): Json;
  /** An error without them. */
  hideIn(error: unknown): unknown;
}

export type Authenticator = (policy: Authentication | undefined, runId: string) => Authenticated;

interface Kept {
  value: string;
  masker: Masker;
  /** It is not used any more. */
  release(): void;
}

/** Of an answer that says not how long its token lasts. */
const UNSAID_SECONDS = 60;
/** A token that is about to end would end on its way. */
const MARGIN_SECONDS = 30;

/** The Authorization of requests as policies say; tokens are kept in memory only, until shortly before they end. */
export function createAuthenticator({ client, ownerOf, known }: AuthenticatorDeps): Authenticator {
  const tokens = new LRUCache<string, Kept>({ max: 1_000, dispose: ({ release }) => release() });

  return (policy = {}, runId) => {
    const got = new Set<Masker>();

    function taken({ value, masker }: Kept): string {
      got.add(masker);
      return value;
    }

    async function newToken(key: string, asked: TokenRequest): Promise<string> {
      try {
        const { value, expiresIn = UNSAID_SECONDS } = await requestToken(client, asked);
        const masker = createMasker([value]);
        const kept = { value, masker, release: known.use(masker) };
        const margin = Math.min(MARGIN_SECONDS, expiresIn / 2);
        const ttl = Math.floor((expiresIn - margin) * 1_000);
        if (ttl > 0) tokens.set(key, kept, { ttl });
        else kept.release();
        return taken(kept);
      } catch (error) {
        const what = `The token for the call, from ${originOf(asked.policy.authority)}`;
        if (error instanceof NoToken)
          throw verbFailure({ kind: 'authentication', detail: `${what}: ${error.message}.` });
        throw requestFailure(error, { what, isRepeatable: true, retried: ['connection'] });
      }
    }

    const keyOf = async (scheme: TokenRequest['scheme'], policy: TokenPolicy) =>
      createHash('sha256')
        .update(JSON.stringify([(await ownerOf(runId)) ?? runId, scheme, policy]))
        .digest('hex');

    async function withToken(request: SentRequest, scheme: TokenRequest['scheme'], policy: TokenPolicy) {
      const { timeoutMs, signal } = request;
      const endsAt = Date.now() + timeoutMs;
      const leftMs = () => Math.max(1, endsAt - Date.now());
      const key = await keyOf(scheme, policy);
      const asked = () => ({ scheme, policy, timeoutMs: leftMs(), signal });
      const send = (token: string) =>
        client.request(withAuthorization({ ...request, timeoutMs: leftMs() }, `Bearer ${token}`));
      const kept = tokens.get(key);
      const answer = await send(kept === undefined ? await newToken(key, asked()) : taken(kept));
      if (answer.status !== 401) return answer;
      tokens.delete(key);
      // It may have been withdrawn; asked again is only what may be sent twice.
      if (kept === undefined || !isIdempotentMethod(request.method)) return answer;
      return send(await newToken(key, asked()));
    }

    return {
      async request(request) {
        const { basic, bearer, digest, oauth2, oidc } = policy;
        if (bearer) return client.request(withAuthorization(request, `Bearer ${bearer.token}`));
        if (basic) return client.request(withAuthorization(request, basicCredentials(basic)));
        if (digest) return withDigest(client, request, digest);
        if (oauth2) return withToken(request, 'oauth2', oauth2);
        if (oidc) return withToken(request, 'oidc', oidc);
        return client.request(request);
      },
      async authorization(limits) {
        const { basic, bearer, oauth2, oidc } = policy;
        if (bearer) return { scheme: 'Bearer', parameter: bearer.token };
        if (basic) return { scheme: 'Basic', parameter: basicCredentials(basic).slice('Basic '.length) };
        const [scheme, asked] = oauth2 ? (['oauth2', oauth2] as const) : (['oidc', oidc] as const);
        if (!asked) return null;
        const key = await keyOf(scheme, asked);
        const kept = tokens.get(key);
        const parameter =
          kept === undefined ? await newToken(key, { scheme, policy: asked, ...limits }) : taken(kept);
        return { scheme: 'Bearer', parameter };
      },
      authenticates: Object.keys(policy).length > 0,
      hide: (value) => [...got].reduce((hidden, masker) => masker.json(hidden), value),
      hideIn: (error) => [...got].reduce<unknown>((hidden, masker) => maskedFailure(hidden, masker), error),
    };
  };
}

const withAuthorization = (request: SentRequest, authorization: string): SentRequest => ({
  ...request,
  headers: { ...request.headers, authorization },
});

function basicCredentials({ username, password }: { username: string; password: string }): string {
  // RFC 7617, 2: the first colon ends the name.
  if (username.includes(':'))
    throw verbFailure({ kind: 'validation', detail: 'authentication: a user name cannot hold a colon.' });
  return `Basic ${base64(Buffer.from(`${username}:${password}`))}`;
}

/** The first request asks for the challenge: who wants an answer to it did nothing else. */
async function withDigest(
  client: OutboundClient,
  request: SentRequest,
  credentials: { username: string; password: string },
): Promise<OutboundResponse> {
  const endsAt = Date.now() + request.timeoutMs;
  const first = await client.request(request);
  const challenge = first.headers['www-authenticate'];
  // Another server's challenge, after a redirect, is none for these credentials.
  if (first.status !== 401 || challenge === undefined || first.request.url !== new URL(request.url).href)
    return first;
  const { pathname, search } = new URL(request.url);
  const authorization = digestAuthorization(challenge, {
    ...credentials,
    method: request.method,
    target: `${pathname}${search}`,
  });
  if (authorization === undefined) return first;
  return client.request(
    withAuthorization({ ...request, timeoutMs: Math.max(1, endsAt - Date.now()) }, authorization),
  );
}

const originOf = (url: string) => (URL.canParse(url) ? new URL(url).origin : 'its authority');
