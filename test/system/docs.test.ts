import { describe, expect, test } from '@jest/globals';
import { Type } from 'typebox';
import { createOpenApi } from '../../api/http/openapi.ts';
import type { DocumentedSocket } from '../../api/http/openapi-operations.ts';
import { ok, type Route, route } from '../../api/http/route.ts';
import { createAuditRoutes } from '../../api/system/audit.ts';
import { createDocsRoutes } from '../../api/system/docs.ts';
import { createHostRoutes } from '../../api/system/hosts.ts';
import { createMetrics, createMetricsRoutes } from '../../api/system/metrics.ts';
import { createStatusRoutes } from '../../api/system/status.ts';
import { openApiProblems } from './openapi-problems.ts';
import { serve } from './serve.ts';

const Part = Type.Object({ size: Type.Integer({ minimum: 1 }) }, { $id: 'Part' });

/** It has a property that is called like a keyword. */
const Thing = Type.Object(
  { name: Type.String({ minLength: 3 }), default: Type.Optional(Part) },
  { $id: 'Thing' },
);

const thingRoutes: Route[] = [
  route({
    method: 'POST',
    path: '/api/myntrix/things/{thing_id}',
    access: 'myntrix:jobs:write',
    summary: 'Make a thing',
    params: Type.Object({ thing_id: Type.String({ format: 'uuid' }) }),
    query: Type.Object({ wait: Type.Optional(Type.Integer()), mode: Type.Enum(['fast', 'slow']) }),
    body: Thing,
    headers: { 'Idempotency-Key': 'a repeat answers the same thing' },
    answers: {
      201: { description: 'made', schema: Thing },
      202: { description: 'many', schema: Type.Array(Thing) },
    },
    errors: ['conflict', 'rate_limited'],
    handler: async () => ok({}),
  }),
];

const socket: DocumentedSocket = {
  path: '/ws/myntrix/things/{thing_id}',
  access: 'myntrix:jobs:read',
  summary: 'Watch a thing',
  params: Type.Object({ thing_id: Type.String({ format: 'uuid' }) }),
  frames: Type.Union([
    Type.Object({ type: Type.Literal('snapshot'), thing: Thing }),
    Type.Object({ type: Type.Literal('gone') }),
  ]),
};

function systemRoutes(): Route[] {
  const none = async () => ({});
  const metrics = createMetrics({
    openSockets: () => 0,
    runsByStatus: none,
    eventsPublished: () => 0,
    eventsDropped: () => 0,
    rowsPruned: none,
  });
  const routes: Route[] = [
    ...createStatusRoutes({
      version: '1.2.3',
      uptimeSeconds: () => 1,
      readiness: async () => ({ database: 'ok', temporal: 'ok', bus: 'ok' }),
      details: { neosyntis: none, myntrix: none },
      troubles: async () => [],
    }),
    ...createAuditRoutes({ audit: { list: async () => [] } }),
    ...createHostRoutes({ hosts: { list: async () => [], remove: async () => {} } }),
    ...createMetricsRoutes({ metrics }),
    ...createDocsRoutes({ document: () => document(routes) }),
    ...thingRoutes,
  ];
  return routes;
}

const info = { title: 'Vareon', version: '1.2.3', description: 'test' };
const document = (routes: readonly Route[]) => createOpenApi(routes, [socket], info);

describe('the OpenAPI document', () => {
  test('is valid OpenAPI 3.1 whose every example is as its schema says', async () => {
    await using api = await serve(systemRoutes());
    const { status, body } = await api.call('GET', '/openapi.json');
    expect(status).toBe(200);
    expect(body.openapi).toBe('3.1.0');
    expect(await openApiProblems(body)).toEqual([]);
  });

  test('has every route and WebSocket of the tables', () => {
    const routes = systemRoutes();
    const { paths } = document(routes);
    for (const { path, method } of routes)
      expect(paths).toHaveProperty([path, method.toLowerCase(), 'operationId']);
    expect(paths).toHaveProperty([socket.path, 'get', 'responses', '101']);
  });

  test('says of a route what it takes, what it answers and how it fails', () => {
    // biome-ignore lint/suspicious/noExplicitAny: a test looks into a document of many shapes
    const found = document(thingRoutes) as any;
    const operation = found.paths['/api/myntrix/things/{thing_id}'].post;
    const thing = { $ref: '#/components/schemas/Thing' };
    expect(operation).toMatchObject({
      operationId: 'postMyntrixThingsByThingId',
      tags: ['myntrix'],
      security: [{ bearer: ['myntrix:jobs:write'] }],
      requestBody: {
        required: true,
        content: { 'application/json': { schema: thing, example: { name: 'text' } } },
      },
    });
    expect(
      operation.parameters.map((one: { name: string; in: string; required?: boolean }) => [
        one.name,
        one.in,
        one.required,
      ]),
    ).toEqual([
      ['thing_id', 'path', true],
      ['wait', 'query', false],
      ['mode', 'query', true],
      ['Idempotency-Key', 'header', undefined],
    ]);
    expect(Object.keys(operation.responses)).toEqual([
      '201',
      '202',
      '400',
      '401',
      '403',
      '404',
      '408',
      '409',
      '413',
      '415',
      '422',
      '429',
      '431',
      '500',
      '503',
    ]);
    expect(operation.responses['202'].content['application/json'].schema).toEqual({
      type: 'array',
      items: thing,
    });
    expect(found.components.responses.conflict.content['application/problem+json']).toMatchObject({
      schema: { $ref: '#/components/schemas/Problem' },
      example: { status: 409, code: 'conflict' },
    });
    expect(found.components.schemas.Thing.properties.default).toEqual({ $ref: '#/components/schemas/Part' });
    expect(found.components.schemas.Thing).not.toHaveProperty('$id');
  });

  test('public routes need no security and cannot answer 401', () => {
    // biome-ignore lint/suspicious/noExplicitAny: a test looks into a document of many shapes
    const health = (document(systemRoutes()) as any).paths['/health'].get;
    expect(health.security).toEqual([]);
    expect(Object.keys(health.responses)).not.toContain('401');
  });

  test('is refused when two different schemas have one name, or two operations one id', () => {
    const other = Type.Object({ other: Type.String() }, { $id: 'Thing' });
    const clash = { ...thingRoutes[0], path: '/api/other', body: other } as Route; // a route with another body
    expect(() => createOpenApi([...thingRoutes, clash], [], info)).toThrow('"Thing"');
    expect(() => createOpenApi([...thingRoutes, ...thingRoutes], [], info)).toThrow(
      'postMyntrixThingsByThingId',
    );
  });

  test('the check of it sees an example that is wrong', async () => {
    const wrong = {
      ...thingRoutes[0],
      answers: { 200: { description: 'x', schema: Thing, example: { name: 1 } } },
    } as Route; // a route with another answer
    expect(await openApiProblems(createOpenApi([wrong], [], info))).toEqual([
      expect.stringContaining('POST /api/myntrix/things/{thing_id} 200'),
    ]);
  });
});

describe('the docs page', () => {
  test('loads only its own files, under a policy of its own', async () => {
    await using api = await serve(systemRoutes());
    const { status, text, headers } = await api.call('GET', '/docs');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("script-src 'self';");
    expect((await api.call('GET', '/health')).headers.get('content-security-policy')).toContain(
      "default-src 'none'",
    );
    expect(text).not.toMatch(/https?:\/\//);
    expect(text).not.toMatch(/<script(?![^>]*src=)/);
    const files = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]);
    expect(files).toHaveLength(4);
    for (const file of files) {
      const answer = await fetch(new URL(String(file), `${api.url}/docs`));
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toMatch(
        /^(text\/(css|javascript); charset=utf-8|image\/png)$/,
      );
      expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(100);
    }
  });

  test.each(['package.json', 'swagger-ui.css.map', '..%2fpackage.json', '%2e%2e%2f%2e%2e%2fpackage.json'])(
    'has no file %s',
    async (file) => {
      await using api = await serve(systemRoutes());
      expect((await api.call('GET', `/docs/assets/${file}`)).status).toBe(404);
    },
  );
});
