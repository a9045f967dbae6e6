// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Events, type MutableResponse, type MutableToken, OAuth2Server } from 'oauth2-mock-server';
import { digestAuthorization } from '../../drivers/outbound/digest.ts';
import { runDocument } from '../support/documents.ts';
import { type Served, serveHttp } from '../support/http-server.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let served: Served;
let authority: OAuth2Server;
/** What the authority was sent, the newest last. */
let asked: { body: Record<string, string>; authorization: string | undefined }[];

beforeAll(async () => {
  world = await enterWorld('temporal');
  user = await world.newUser();
  served = await serveHttp();
  authority = new OAuth2Server(undefined, undefined, { endpoints: { token: '/oauth2/token' } });
  await authority.issuer.keys.generate('ES256');
  await authority.start(0, '127.0.0.1');
  asked = [];
  authority.service.on(Events.BeforeResponse, (_response: MutableResponse, { body, headers }) => {
    asked.push({ body: { ...body }, authorization: headers.authorization });
  });
});
afterAll(async () => {
  await Promise.all([served.close(), authority.stop()]);
  await world.close();
});

const get = (path: string, authentication: unknown, more: object = {}) => ({
  call: 'http',
  with: { method: 'GET', endpoint: { uri: `${served.origin}${path}`, authentication }, ...more },
});

const run = (use: object, list: object[]) => runDocument(world, user, { use, list });

async function newSecret(value: unknown): Promise<string> {
  const name = `s_${randomBytes(5).toString('hex')}`;
  const { status } = await world.api('POST', '/api/neosyntis/secrets', {
    token: user.token,
    body: { name, value },
  });
  expect(status).toBe(201);
  return name;
}

const historyOf = async (runId: string): Promise<string> =>
  JSON.stringify(await world.temporal.workflow.getHandle(runId).fetchHistory(), (_key, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString() : value,
  );

describe('Digest', () => {
  const challenge = (algorithm: string) =>
    `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, ` +
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';
  const request = {
    username: 'Mufasa',
    password: 'Circle of Life',
    method: 'GET',
    target: '/dir/index.html',
    cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  };

  test('answers as the RFC’s own examples do, the better algorithm first', () => {
    const md5 = digestAuthorization(challenge('MD5'), request);
    const both = digestAuthorization(
      `Basic realm="x", ${challenge('MD5')}, ${challenge('SHA-256')}`,
      request,
    );
    expect(md5).toContain('response="8ca523f5e9506fed4657c9700eebdbec"');
    expect(both).toContain('response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"');
    expect(both).toContain('algorithm=SHA-256');
    expect(digestAuthorization('Digest realm="a", nonce="b", qop="auth-int"', request)).toBeUndefined();
    expect(digestAuthorization('Digest realm="a", nonce="b", algorithm=ROT13', request)).toBeUndefined();
    expect(digestAuthorization('Bearer error="x", Negotiate abc==', request)).toBeUndefined();
  });

  test('is what a call says when it is asked, with the credentials of a secret', async () => {
    const login = await newSecret({ username: 'Ada "L"', password: 'of the machine' });
    const seen: (string | undefined)[] = [];
    served.on('/digest', ({ headers }, response) => {
      seen.push(headers.authorization);
      const fields = Object.fromEntries(
        [...(headers.authorization ?? '').matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)].map(
          ([, name, quoted, plain]) => [name, quoted?.replaceAll('\\', '') ?? plain],
        ),
      );
      const h = (text: string) => createHash('sha256').update(text).digest('hex');
      const { nonce, nc, cnonce, qop, uri, username } = fields;
      const wanted = h(
        `${h('Ada "L":here:of the machine')}:${nonce}:${nc}:${cnonce}:${qop}:${h(`GET:${uri}`)}`,
      );
      if (fields.response === wanted && nonce === 'n1' && username === 'Ada "L"' && uri === '/digest?a=1')
        return response.setHeader('content-type', 'application/json').end('{"in":true}');
      return response
        .writeHead(401, {
          'www-authenticate': 'Digest realm="here", nonce="n1", qop="auth", algorithm=SHA-256',
        })
        .end();
    });
    const done = await run({ authentications: { door: { digest: { use: login } } } }, [
      { ask: get('/digest?a=1', { use: 'door' }) },
    ]);
    expect([done.error, done.output]).toEqual([null, { in: true }]);
    expect([seen[0], seen.at(-1)]).toEqual([undefined, expect.stringMatching(/^Digest /)]);
    expect(await historyOf(done.id)).not.toContain('of the machine');

    const wrong = await run({}, [
      { ask: get('/digest?a=1', { digest: { username: 'Ada', password: 'guessed' } }) },
    ]);
    expect(wrong.error).toMatchObject({ type: expect.stringMatching(/authentication$/), status: 401 });
  });
});

describe('Basic and bearer', () => {
  test('take their values from the secret that they name', async () => {
    const login = await newSecret({ username: 'ada', password: 'pass word' });
    const [key, plain] = [await newSecret({ token: 'tok-en-1' }), await newSecret('tok-en-2')];
    const seen: (string | undefined)[] = [];
    served.on('/who', ({ headers }, response) => {
      seen.push(headers.authorization);
      response.end(headers.authorization);
    });
    const done = await run({ secrets: [login, key, plain] }, [
      { one: get('/who', { basic: { use: login } }) },
      { two: get('/who', { bearer: { use: key } }) },
      { three: get('/who', { bearer: { use: plain } }) },
    ]);
    expect([done.status, done.output]).toEqual(['completed', 'Bearer ***']);
    expect([...new Set(seen)]).toEqual([
      `Basic ${btoa('ada:pass word')}`,
      'Bearer tok-en-1',
      'Bearer tok-en-2',
    ]);
  });
});

describe('OAuth 2 and OpenID Connect', () => {
  const policy = (more: object = {}) => ({
    authority: authority.issuer.url,
    grant: 'client_credentials',
    scopes: ['read', 'write'],
    audiences: ['here', 'there'],
    ...more,
  });

  test('get a token, keep it while it lasts, drop one that is refused, and never show it', async () => {
    const id = `c-${randomBytes(4).toString('hex')}`;
    const secret = await newSecret('the client’s own');
    const seen: (string | undefined)[] = [];
    let isWithdrawn = false;
    served.on('/api', ({ headers }, response) => {
      seen.push(headers.authorization);
      const isRefused = isWithdrawn && headers.authorization === seen[0];
      response.writeHead(isRefused ? 401 : 200).end(headers.authorization);
    });
    const use = {
      authentications: {
        api: {
          oauth2: policy({
            client: { id, secret: `\${ $secrets.${secret} }` },
            issuers: [authority.issuer.url],
          }),
        },
      },
    };
    const steps = [{ one: get('/api', { use: 'api' }) }, { two: get('/api', { use: 'api' }) }];
    let serial = 0;
    const count = ({ payload }: MutableToken) => {
      payload.jti = String(serial++);
    };
    authority.service.on(Events.BeforeTokenSigning, count);
    const first = await run(use, steps);
    expect([first.status, first.output]).toEqual(['completed', 'Bearer ***']);
    const own = () => asked.filter(({ body }) => body.client_id === id);
    expect(own()).toHaveLength(1);
    expect(own()[0]?.body).toMatchObject({
      grant_type: 'client_credentials',
      scope: 'read write',
      audience: ['here', 'there'],
      client_secret: 'the client’s own',
    });
    expect(seen[0]).toBe(seen[1]);
    const token = seen[0]?.slice('Bearer '.length) ?? '';
    expect(await historyOf(first.id)).not.toContain(token);

    isWithdrawn = true;
    const second = await run(use, steps);
    authority.service.off(Events.BeforeTokenSigning, count);
    expect(second.status).toBe('completed');
    // Each platform worker keeps tokens of its own.
    const tokens = own().length;
    expect(testStack().replicaLagMs ? [2, 3, 4] : [2]).toContain(tokens);
    expect(new Set(seen).size).toBe(tokens);
  });

  test('send each grant and each way of a client to say who it is', async () => {
    served.on('/any', (_request, response) => response.end('in'));
    const basic = { id: 'a:b', secret: 's', authentication: 'client_secret_basic' };
    const jwt = { id: 'j', assertion: 'a.b.c', authentication: 'private_key_jwt' };
    const type = 'urn:ietf:params:oauth:token-type:access_token';
    const policies = [
      { grant: 'password', username: 'ada', password: 'pw', client: basic },
      { grant: 'refresh_token', subject: { token: 'r-1', type: 'x' }, client: jwt },
      {
        grant: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject: { token: 't-1', type },
        actor: { token: 't-2', type },
        client: { id: 'none', authentication: 'none' },
        request: { encoding: 'application/json' },
      },
    ];
    // The authority knows neither the exchange nor JSON.
    const bodies = new Map<string, unknown>();
    served.on('/as/token', ({ body, headers }, response) => {
      bodies.set(
        body,
        headers['content-type'] === 'application/json'
          ? JSON.parse(body)
          : { ...Object.fromEntries(new URLSearchParams(body)), authorization: headers.authorization },
      );
      response
        .setHeader('content-type', 'application/json')
        .end('{"access_token":"opaque","token_type":"Bearer","id_token":"not.for.us"}');
    });
    const done = await run(
      {},
      policies.map((one, at) => ({
        [`call${at}`]: get('/any', {
          oauth2: { ...one, authority: `${served.origin}/as`, endpoints: { token: '/token' } },
        }),
      })),
    );
    expect(done.status).toBe('completed');
    expect([...bodies.values()]).toEqual([
      { grant_type: 'password', username: 'ada', password: 'pw', authorization: `Basic ${btoa('a%3Ab:s')}` },
      {
        grant_type: 'refresh_token',
        refresh_token: 'r-1',
        client_id: 'j',
        client_assertion: 'a.b.c',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      },
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: 't-1',
        subject_token_type: type,
        actor_token: 't-2',
        actor_token_type: type,
        client_id: 'none',
      },
    ]);
  });

  test('ask the authority itself where tokens are, when it speaks OpenID Connect', async () => {
    const secret = await newSecret({
      authority: `${authority.issuer.url}/.well-known/openid-configuration`,
      grant: 'client_credentials',
      client: { id: 'found', secret: 'x' },
    });
    served.on('/oidc', ({ headers }, response) => response.end(String(headers.authorization?.length)));
    const done = await run({ authentications: { sso: { oidc: { use: secret } } } }, [
      { ask: get('/oidc', { use: 'sso' }) },
    ]);
    expect([done.status, Number(done.output) > 100]).toEqual(['completed', true]);
    expect(asked.some(({ body }) => body.client_id === 'found')).toBe(true);
  });

  test('fail as an authentication when no good token is given, and reach only what calls may', async () => {
    served.on('/no/token', (_request, response) =>
      response
        .writeHead(400, { 'content-type': 'application/json' })
        .end('{"error":"invalid_client","error_description":"no"}'),
    );
    const of = (more: object) => ({
      ask: get('/any', { oauth2: { ...policy({ client: { id: 'x', secret: 'y' } }), ...more } }),
    });
    const runs = await Promise.all(
      [
        { authority: `${served.origin}/no`, endpoints: { token: '/token' } },
        { issuers: ['https://other.example.org'] },
        { authority: 'http://169.254.169.254' },
      ].map((more) => run({}, [of(more)])),
    );
    expect(runs.map(({ error }) => [error.type.split('/').at(-1), error.status, error.detail])).toEqual([
      ['authentication', 401, expect.stringContaining('answered 400 (invalid_client)')],
      ['authentication', 401, expect.stringContaining('`issuers`')],
      ['authorization', 403, expect.stringContaining('VAREON_OUTBOUND_ALLOW')],
    ]);
  });
});

describe('$authorization', () => {
  test('is what the request says who asks by, and is in no history and no output', async () => {
    const secret = await newSecret('a-very-secret-token');
    served.on('/echo', ({ headers, body }, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify([headers.authorization, headers['x-again'], JSON.parse(body)])),
    );
    let seen: unknown;
    served.on('/keep', ({ headers, body }, response) => {
      seen = [headers.authorization, headers['x-again'], body];
      response.end('kept');
    });
    const post = (path: string, authentication?: unknown) => ({
      call: 'http',
      with: {
        method: 'POST',
        endpoint: { uri: `${served.origin}${path}`, ...(authentication ? { authentication } : {}) },
        headers: { 'x-again': '${ "\\($authorization.scheme) \\($authorization.parameter)" }' },
        body: '${ {all: $authorization, n: 1} }',
      },
    });
    const ran = await run({}, [
      { basic: post('/echo', { basic: { username: 'ada', password: 'lovelace' } }) },
      { none: { ...post('/echo'), output: { as: '.[2]' } } },
      { bearer: post('/keep', { bearer: { use: secret } }) },
    ]);
    expect([ran.error, ran.output]).toEqual([null, 'kept']);
    const [basic, none] = ran.steps;
    expect(basic.output).toEqual([
      'Basic ***',
      'Basic ***',
      { all: { scheme: 'Basic', parameter: '***' }, n: 1 },
    ]);
    expect(none.output).toEqual({ all: null, n: 1 });
    const bearer = 'Bearer a-very-secret-token';
    expect(seen).toEqual([
      bearer,
      bearer,
      JSON.stringify({ all: { scheme: 'Bearer', parameter: 'a-very-secret-token' }, n: 1 }),
    ]);
    const history = await historyOf(ran.id);
    for (const hidden of ['a-very-secret-token', Buffer.from('ada:lovelace').toString('base64')])
      expect(history).not.toContain(hidden);
  });
});
