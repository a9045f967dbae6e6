import type { ClientAuth } from 'oauth4webapi';
import type { TokenPolicy } from '../../domain/neosyntis/dsl/authentication.ts';
import { createGuardedFetch, type GuardedFetch } from './fetch.ts';
import type { OutboundClient } from './port.ts';

export interface TokenRequest {
  scheme: 'oauth2' | 'oidc';
  policy: TokenPolicy;
  timeoutMs: number;
  signal: AbortSignal;
}

export interface Token {
  value: string;
  /** Seconds; as the server says, if it does. */
  expiresIn: number | undefined;
}

/** No token was given; its message is for users and holds no credentials. */
export class NoToken extends Error {
  override readonly name = 'NoToken';
}

const suffix = '/.well-known/openid-configuration';

/** Asks an authority for an access token, by the guarded client only. @throws NoToken, OutboundError */
export async function requestToken(client: OutboundClient, request: TokenRequest): Promise<Token> {
  const oauth = await import('oauth4webapi'); // its weight is for those who use it
  const { policy } = request;
  const plain = createGuardedFetch(client, request);
  const options = {
    [oauth.customFetch]: tokenFetch(plain, policy.request?.encoding === 'application/json'),
    [oauth.allowInsecureRequests]: true, // which addresses may be asked, the guarded client decides
  };
  const authority = policy.authority.replace(suffix, '').replace(/\/+$/, '');
  try {
    const server =
      request.scheme === 'oidc'
        ? await oauth.processDiscoveryResponse(
            new URL(policy.authority.replace(suffix, '')),
            await oauth.discoveryRequest(new URL(authority), {
              [oauth.customFetch]: plain,
              [oauth.allowInsecureRequests]: true,
            }),
          )
        : { issuer: authority, token_endpoint: tokenEndpoint(authority, policy) };
    refuseIssuer(policy, request.scheme === 'oidc' ? server.issuer : undefined);
    const party = { client_id: policy.client?.id ?? '' };
    const parameters = parametersOf(policy);
    const auth = clientAuthentication(oauth, policy);
    const answer = await oauth.genericTokenEndpointRequest(
      server,
      party,
      auth,
      policy.grant,
      parameters,
      options,
    );
    const given = await oauth.processGenericTokenEndpointResponse(server, party, answer);
    refuseIssuer(policy, issuerOf(given.access_token), request.scheme === 'oauth2');
    return { value: given.access_token, expiresIn: given.expires_in };
  } catch (error) {
    if (error instanceof oauth.ResponseBodyError)
      throw new NoToken(`the token endpoint answered ${error.status} (${error.error.slice(0, 60)})`);
    if (error instanceof oauth.WWWAuthenticateChallengeError)
      throw new NoToken(`the token endpoint answered ${error.status}`);
    // Its other words are of what the answer lacks; they quote nothing of it.
    if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError)
      throw new NoToken(error.message.slice(0, 200));
    throw error;
  }
}

/** The path is below the authority, whatever path that has; a whole URL stands for itself. */
function tokenEndpoint(authority: string, { endpoints }: TokenPolicy): string {
  const path = endpoints?.token ?? '/oauth2/token';
  return /^https?:/i.test(path) ? path : `${authority}/${path.replace(/^\/+/, '')}`;
}

function parametersOf({ grant, scopes, audiences, ...policy }: TokenPolicy): URLSearchParams {
  const found = new URLSearchParams();
  const put = (name: string, value: string | undefined) => value !== undefined && found.append(name, value);
  put('scope', scopes?.join(' '));
  for (const audience of audiences ?? []) put('audience', audience);
  if (grant === 'password') {
    put('username', policy.username);
    put('password', policy.password);
  } else if (grant === 'refresh_token') put('refresh_token', policy.subject?.token);
  else if (grant !== 'client_credentials') {
    put('subject_token', policy.subject?.token);
    put('subject_token_type', policy.subject?.type);
    put('actor_token', policy.actor?.token);
    put('actor_token_type', policy.actor?.type);
  }
  return found;
}

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

function clientAuthentication(
  oauth: typeof import('oauth4webapi'),
  { client = {} }: TokenPolicy,
): ClientAuth {
  const { authentication = 'client_secret_post', secret = '', assertion } = client;
  if (authentication === 'none') return client.id === undefined ? () => {} : oauth.None();
  if (assertion !== undefined && /_jwt$/.test(authentication))
    return (_server, { client_id }, body) => {
      body.set('client_id', client_id);
      body.set('client_assertion_type', JWT_BEARER);
      body.set('client_assertion', assertion);
    };
  if (authentication === 'client_secret_basic') return oauth.ClientSecretBasic(secret);
  return authentication === 'client_secret_jwt'
    ? oauth.ClientSecretJwt(secret)
    : oauth.ClientSecretPost(secret);
}

/** An ID token is none of our business: whose it is the library would have to be told. */
const tokenFetch =
  (plain: GuardedFetch, asJson: boolean): GuardedFetch =>
  async (url, init = {}) => {
    const headers = new Headers(init.headers);
    let { body } = init;
    if (asJson && body instanceof URLSearchParams) {
      headers.set('content-type', 'application/json');
      body = JSON.stringify(
        Object.fromEntries([...new Set(body.keys())].map((key) => [key, values(body, key)])),
      );
    }
    const answer = await plain(url, { ...init, headers, body });
    const text = await answer.text();
    return new Response(text === '' ? null : withoutIdToken(text), {
      status: answer.status,
      headers: answer.headers,
    });
  };

function values(body: unknown, key: string): string | string[] {
  const all = body instanceof URLSearchParams ? body.getAll(key) : [];
  return all.length === 1 ? (all[0] ?? '') : all;
}

function withoutIdToken(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null || !('id_token' in parsed)) return text;
    const { id_token: _unused, ...rest } = parsed;
    return JSON.stringify(rest);
  } catch {
    return text; // the library says what is wrong with it
  }
}

/** The issuer that a token names, if it is a JWT. It came from the authority itself, so nothing is verified. */
function issuerOf(token: string): string | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const issuer = typeof claims === 'object' && claims !== null && 'iss' in claims ? claims.iss : undefined;
    return typeof issuer === 'string' ? issuer : undefined;
  } catch {
    return undefined; // it is opaque
  }
}

function refuseIssuer({ issuers }: TokenPolicy, issuer: string | undefined, isNeeded = false): void {
  if (!issuers || issuers.length === 0) return;
  if (issuer === undefined && !isNeeded) return;
  if (issuer === undefined || !issuers.includes(issuer))
    throw new NoToken(
      issuer === undefined
        ? 'the token names no issuer, and `issuers` wants one'
        : '`issuers` does not list the issuer of the token',
    );
}
