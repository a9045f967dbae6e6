import { type Static, Type } from 'typebox';
import type { InputProblem } from '../../errors.ts';
import { urlProblem } from '../../outbound/request-rules.ts';
import { pointer } from '../../pointer.ts';
import { isExpression } from '../expressions.ts';
import { isObject } from '../json.ts';

const text = (maxLength = 1_000) => Type.String({ minLength: 1, maxLength });
const secret = () => text(16_000);
const words = () => Type.Optional(Type.Array(text(), { maxItems: 100 }));
const closed = { additionalProperties: false };

const oneOf = <const T extends string>(...values: T[]) =>
  Type.Unsafe<T>(Type.Union(values.map((value) => Type.Literal(value))));

const Credentials = Type.Object({ username: Type.String({ maxLength: 1_000 }), password: secret() }, closed);

const SecurityToken = Type.Object({ token: secret(), type: text() }, closed);

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const PERSONAL_GRANT = 'authorization_code';

const oauth = {
  authority: text(8_000),
  grant: oneOf('client_credentials', 'password', 'refresh_token', TOKEN_EXCHANGE),
  client: Type.Optional(
    Type.Object(
      {
        id: Type.Optional(text()),
        secret: Type.Optional(secret()),
        assertion: Type.Optional(secret()),
        authentication: Type.Optional(
          oneOf('client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none'),
        ),
      },
      closed,
    ),
  ),
  request: Type.Optional(
    Type.Object(
      {
        encoding: Type.Optional(oneOf('application/x-www-form-urlencoded', 'application/json')),
      },
      closed,
    ),
  ),
  issuers: words(),
  scopes: words(),
  audiences: words(),
  username: Type.Optional(text()),
  password: Type.Optional(secret()),
  subject: Type.Optional(SecurityToken),
  actor: Type.Optional(SecurityToken),
};

const endpoint = () => Type.Optional(text(8_000));

const OAuth2 = Type.Object(
  {
    ...oauth,
    endpoints: Type.Optional(
      Type.Object({ token: endpoint(), revocation: endpoint(), introspection: endpoint() }, closed),
    ),
  },
  closed,
);

const OpenIdConnect = Type.Object(oauth, closed);

export type TokenPolicy = Static<typeof OAuth2>;

/** How a request says who asks (dsl-reference, "Authentication"); names of `use` and of secrets are written out. */
export const Authentication = Type.Object(
  {
    basic: Type.Optional(Credentials),
    bearer: Type.Optional(Type.Object({ token: secret() }, closed)),
    digest: Type.Optional(Credentials),
    oauth2: Type.Optional(OAuth2),
    oidc: Type.Optional(OpenIdConnect),
  },
  { ...closed, minProperties: 1, maxProperties: 1 },
);
export type Authentication = Static<typeof Authentication>;

/** What each scheme reads of the secret that its `use` names; nothing: the secret is all of it. */
export const secretKeys: Record<keyof Authentication, readonly string[] | undefined> = {
  basic: ['username', 'password'],
  bearer: ['token'],
  digest: ['username', 'password'],
  oauth2: undefined,
  oidc: undefined,
};

export const isScheme = (name: string): name is keyof Authentication => Object.hasOwn(secretKeys, name);

/** Grants that need a person, by name. */
export function refusedGrants(authentication: unknown, path: string): InputProblem[] {
  return tokenPolicies(authentication)
    .filter(([, { grant }]) => grant === PERSONAL_GRANT)
    .map(([scheme]) => ({
      path: pointer(path, scheme, 'grant'),
      message: `\`${PERSONAL_GRANT}\` needs a person who agrees: a run has none; use another grant`,
    }));
}

/** What the schema cannot say; what is an expression still is not judged. */
export function authenticationProblems(authentication: unknown, path: string): InputProblem[] {
  return tokenPolicies(authentication).flatMap(([scheme, policy]) =>
    policyProblems(policy).map(([below, message]) => ({ path: pointer(path, scheme) + below, message })),
  );
}

function policyProblems(policy: Record<string, unknown>): [below: string, message: string][] {
  const { authority, grant, endpoints } = policy;
  const found: [string, string][] = [];
  const client = isObject(policy.client) ? policy.client : {};
  const method = client.authentication ?? 'client_secret_post';
  const lacks = (holder: Record<string, unknown>, key: string) => holder[key] === undefined;
  const wrong = typeof authority === 'string' && !isExpression(authority) ? urlProblem(authority) : undefined;
  if (wrong) found.push(['/authority', wrong]);
  const token = isObject(endpoints) ? endpoints.token : undefined;
  if (typeof token === 'string' && /^[a-z][a-z0-9+.-]*:/i.test(token) && urlProblem(token))
    found.push(['/endpoints/token', urlProblem(token) ?? '']);
  if (isExpression(policy.client)) return found;
  if (lacks(client, 'id') && method !== 'none') found.push(['/client', '`id` is missing']);
  if (method === 'private_key_jwt' && lacks(client, 'assertion'))
    found.push(['/client', '`assertion` is missing: private_key_jwt sends it']);
  const needsSecret = typeof method === 'string' && /^client_secret/.test(method);
  if (
    needsSecret &&
    lacks(client, 'secret') &&
    (method !== 'client_secret_jwt' || lacks(client, 'assertion'))
  )
    found.push(['/client', `\`secret\` is missing: ${method} needs it`]);
  const needed =
    grant === 'password' ? ['username', 'password'] : grant === TOKEN_EXCHANGE ? ['subject'] : [];
  for (const key of needed)
    if (lacks(policy, key)) found.push(['', `\`${key}\` is missing: the grant needs it`]);
  if (grant === 'refresh_token' && lacks(policy, 'subject'))
    found.push(['', '`subject` is missing: its `token` is the refresh token']);
  return found;
}

const tokenPolicies = (authentication: unknown): [string, Record<string, unknown>][] =>
  ['oauth2', 'oidc'].flatMap((scheme): [string, Record<string, unknown>][] => {
    const policy = isObject(authentication) ? authentication[scheme] : undefined;
    return isObject(policy) ? [[scheme, policy]] : [];
  });
