import { Problem } from '../../domain/wire.ts';
import { errorResponses } from './openapi-errors.ts';
import { moduleOf, operationId, tags } from './openapi-names.ts';
import {
  type DocumentedRoute,
  type DocumentedSocket,
  routeOperation,
  socketOperation,
} from './openapi-operations.ts';
import { createComponents, type JsonObject } from './openapi-schemas.ts';

export interface OpenApiInfo {
  title: string;
  version: string;
  description?: string;
}

/**
 * The OpenAPI 3.1 document of every route and WebSocket, from the very tables that serve them.
 * @throws Error when two operations would have one id, or two different schemas one `$id`.
 */
export function createOpenApi(
  routes: readonly DocumentedRoute[],
  sockets: readonly DocumentedSocket[],
  info: OpenApiInfo,
): JsonObject {
  const components = createComponents();
  const problem = components.share('Problem', Problem);
  const paths: Record<string, JsonObject> = {};
  const ids = new Set<string>();

  function add(path: string, method: string, id: string, operation: JsonObject): void {
    if (ids.has(id)) throw new Error(`two operations have the id ${id}; the second is ${method} ${path}`);
    ids.add(id);
    paths[path] = { ...paths[path], [method.toLowerCase()]: { operationId: id, ...operation } };
  }
  for (const route of routes)
    add(route.path, route.method, operationId(route.method, route.path), routeOperation(route, components));
  for (const socket of sockets) {
    const id = operationId('watch', socket.path);
    add(socket.path, 'GET', id, socketOperation(id, socket, components));
  }

  const used = new Set([...routes, ...sockets].map(({ path }) => moduleOf(path)));
  return {
    openapi: '3.1.0',
    info: { ...info, license: { name: 'Apache 2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    tags: tags.filter((tag) => used.has(tag)).map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'an access token (POST /api/token) or an API token',
        },
        host: { type: 'http', scheme: 'bearer', description: 'a worker host’s own credential' },
        ticket: {
          type: 'apiKey',
          in: 'query',
          name: 'ticket',
          description: 'from POST /api/ws-ticket; WebSockets only',
        },
      },
      headers: {
        RequestId: {
          description: 'finds the request in the log',
          schema: { type: 'string', format: 'uuid' },
        },
      },
      responses: errorResponses(problem),
      schemas: components.schemas,
    },
  };
}
