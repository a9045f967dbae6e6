// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { runDocument } from '../support/documents.ts';
import { type Served, serveHttp } from '../support/http-server.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let served: Served;
let seen: { method: string | undefined; url: string | undefined; body: string; headers: object }[];

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser();
  served = await serveHttp();
  seen = [];
  for (const path of ['/api/pets/7', '/api/pets', '/api/broken', '/v2/pets', '/v2/form'])
    served.on(path, ({ method, url, body, headers }, response) => {
      seen.push({ method, url, body, headers });
      if (path === '/api/broken') return response.destroy();
      return response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ method, url, body }));
    });
  served.on('/api/openapi.yaml', (_request, response) => {
    response.end(stringify(document));
  });
  served.on('/v2/swagger.json', (_request, response) => response.end(JSON.stringify(older())));
});
afterAll(async () => {
  await served.close();
  await world.close();
});

const schema = {};
const document = {
  openapi: '3.1.0',
  servers: [{ url: '{base}', variables: { base: { default: '/api' } } }],
  paths: {
    '/pets/{id}': {
      parameters: [{ $ref: '#/components/parameters/id' }],
      get: {
        operationId: 'getPet',
        parameters: [
          { name: 'tags', in: 'query', schema },
          { name: 'flat', in: 'query', explode: false, schema },
          { name: 'where', in: 'query', style: 'deepObject', schema },
          { name: 'filter', in: 'query', content: { 'application/json': {} } },
          { name: 'X-Trace', in: 'header', schema },
          { name: 'session', in: 'cookie', schema },
          { name: 'needed', in: 'query', required: true, schema },
        ],
      },
    },
    '/pets': { post: { operationId: 'addPet', requestBody: { $ref: '#/components/requestBodies/pet' } } },
    '/broken': { get: { operationId: 'readBroken' }, post: { operationId: 'writeBroken' } },
    '/far': { get: { operationId: 'far', parameters: [{ $ref: 'http://127.0.0.1:1/x.json' }] } },
  },
  components: {
    parameters: { id: { name: 'id', in: 'path', required: true, schema } },
    requestBodies: { pet: { required: true, content: { 'application/json': { schema } } } },
  },
};
const older = () => ({
  swagger: '2.0',
  host: new URL(served.origin).host,
  basePath: '/v2',
  schemes: ['http'],
  paths: {
    '/pets': {
      put: { operationId: 'putPet', parameters: [{ name: 'pet', in: 'body', required: true, schema }] },
    },
    '/form': {
      post: {
        operationId: 'fill',
        consumes: ['application/x-www-form-urlencoded'],
        parameters: [
          { name: 'name', in: 'formData', type: 'string' },
          { name: 'ids', in: 'query', type: 'array', collectionFormat: 'multi', items: { type: 'string' } },
        ],
      },
    },
  },
});

const operation = (operationId: string, parameters: object, more: object = {}) => ({
  call: 'openapi',
  with: { document: { endpoint: `${served.origin}/api/openapi.yaml` }, operationId, parameters, ...more },
});

describe('call: openapi', () => {
  test('sends each parameter where and how the document says, its version whichever', async () => {
    const swagger = { document: { endpoint: `${served.origin}/v2/swagger.json` } };
    const run = await runDocument(world, user, {
      use: { authentications: { key: { bearer: { token: '${ .token }' } } } },
      list: [
        {
          get: {
            ...operation(
              'getPet',
              {
                id: 7,
                tags: ['a b', 'c&d'],
                flat: [1, 2],
                where: { kind: 'cat' },
                filter: { a: [1] },
                'X-Trace': '${ .trace }',
                session: 's 1',
                needed: true,
              },
              { authentication: 'key', output: 'response' },
            ),
            output: { as: '$input' },
          },
        },
        { add: { ...operation('addPet', { body: 'Tom' }), output: { as: '$input' } } },
        {
          put: {
            call: 'openapi',
            with: { ...swagger, operationId: 'putPet', parameters: { pet: { n: 1 } } },
          },
        },
        {
          fill: {
            call: 'openapi',
            with: { ...swagger, operationId: 'fill', parameters: { name: 'Ada L', ids: ['x', 'y'] } },
          },
        },
      ],
      input: { token: 'tok', trace: 't-1' },
    });
    expect([run.status, run.error]).toEqual(['completed', null]);
    // What may be repeated is, when the machine is slow.
    const isFirst = (one: { url?: string | undefined }, at: number) =>
      seen.findIndex(({ url }) => url === one.url) === at;
    expect(seen.filter(isFirst)).toMatchObject([
      {
        method: 'GET',
        url: '/api/pets/7?tags=a%20b&tags=c%26d&flat=1,2&where[kind]=cat&filter=%7B%22a%22%3A%5B1%5D%7D&needed=true',
        headers: { authorization: 'Bearer tok', 'x-trace': 't-1', cookie: 'session=s%201' },
      },
      { method: 'POST', url: '/api/pets', body: '"Tom"', headers: { 'content-type': 'application/json' } },
      { method: 'PUT', url: '/v2/pets', body: '{"n":1}' },
      {
        method: 'POST',
        url: '/v2/form?ids=x&ids=y',
        body: 'name=Ada+L',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      },
    ]);
  });

  test('repeats what breaks by the operation’s method only', async () => {
    const [read, written] = await Promise.all(
      ['readBroken', 'writeBroken'].map((id) =>
        runDocument(world, user, { list: [{ ask: { ...operation(id, {}), timeout: { after: 'PT20S' } } }] }),
      ),
    );
    const tried = (method: string) =>
      seen.filter((one) => one.url === '/api/broken' && one.method === method);
    expect([tried('GET').length > 1, tried('POST').length]).toEqual([true, 1]);
    expect([read?.steps[0].status, written?.steps[0].status]).toEqual(['failed', 'unknown']);
  });

  test('says what is wrong before anything is sent', async () => {
    // What the test before gave up may still be on its way.
    const sent = () => seen.filter(({ url }) => url !== '/api/broken').length;
    const before = sent();
    const caught = (task: object) => ({
      try: [{ ask: task }],
      catch: { as: 'why', do: [{ say: { set: '${ $why }' } }] },
    });
    const run = await runDocument(world, user, {
      list: [
        {
          all: {
            fork: {
              branches: [
                { unknown: caught(operation('getPets', {})) },
                { missing: caught(operation('getPet', { id: 1 })) },
                { other: caught(operation('getPet', { id: 1, needed: 1, tag: 'x' })) },
                { step: caught(operation('getPet', { id: '..', needed: 1 })) },
                { body: caught(operation('addPet', {})) },
                { far: caught(operation('far', {})) },
              ],
            },
          },
        },
      ],
    });
    expect(
      run.output.map(({ type, detail }: { type: string; detail: string }) => [
        type.split('/').at(-1),
        detail,
      ]),
    ).toEqual([
      ['configuration', expect.stringContaining('no operation "getPets": did you mean `getPet`')],
      ['validation', expect.stringContaining('parameter "needed" is missing')],
      ['validation', expect.stringContaining('no parameter "tag": did you mean `tags`')],
      ['validation', expect.stringContaining('which no path can hold')],
      ['validation', expect.stringContaining('`body`')],
      ['configuration', expect.stringContaining('only references within it')],
    ]);
    expect(sent()).toBe(before);
  });
});
