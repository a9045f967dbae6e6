import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import Router from '@koa/router';
import Koa from 'koa';
import websockify from 'koa-websocket';
import { Type } from 'typebox';
import { v7 as uuidv7 } from 'uuid';
import type { WebSocket } from 'ws';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { Logger } from '../../logs.ts';
import { storable } from './body.ts';
import { createChecker } from './checks.ts';
import { createConnection, limitFrames, watchSockets } from './connection.ts';
import { isUnexpected, problemReply } from './problems.ts';
import { type Authenticator, requirePermission } from './router.ts';
import type { SocketRoute } from './socket.ts';
import { createSocketRoom } from './socket-room.ts';
import { targetOf } from './target.ts';

export interface SocketAuthenticator extends Authenticator {
  /** The caller named by a ticket, which is used up. @throws AppError `unauthenticated` */
  consumeTicket(ticket: string): Promise<Principal>;
  /** Whether the caller's login or token still counts. */
  isValid(user: Principal): Promise<boolean>;
}

export interface SocketServerOptions {
  sockets: readonly SocketRoute[];
  authenticator: SocketAuthenticator;
  origins: readonly string[];
  /** Gives work up when the database goes away meanwhile. */
  during<T>(work: () => Promise<T>): Promise<T>;
  /** How many WebSockets a user may have open. */
  perUser: number;
  log: Logger;
}

interface Upgrade {
  route: SocketRoute;
  input: { user: Principal; params: unknown; query: unknown };
}

/** Frames that clients send are small. */
const MAX_PAYLOAD_BYTES = 64 * 1024;
/** A message in more pieces than this is one that never ends. */
const MAX_FRAGMENTS = 64;

/**
 * WebSockets on an HTTP server. Who connects is known before the upgrade, so a refusal is a plain HTTP answer;
 * koa-websocket and @koa/router then carry the socket to its route.
 */
export function attachSockets(
  server: Server,
  options: SocketServerOptions,
): { close(): void; count(): number } {
  const app = websockify(new Koa());
  const accepted = new WeakMap<IncomingMessage, Upgrade>();
  app.ws.listen({
    noServer: true,
    maxPayload: MAX_PAYLOAD_BYTES,
    maxFragments: MAX_FRAGMENTS,
    perMessageDeflate: false,
    autoPong: false,
  });
  const sockets = app.ws.server;
  if (!sockets) throw new Error('koa-websocket made no server');
  // A handshake that is none (RFC 6455, 4.2) is refused as everything else is.
  sockets.on('wsClientError', (error, stream, request) =>
    refuse(
      request,
      stream,
      new AppError('bad_request', `This is no WebSocket handshake of version 13: ${error.message}.`),
      options.log,
    ),
  );
  const watch = watchSockets(options.authenticator);

  const router = new Router();
  for (const { path } of options.sockets)
    router.get(colons(path), async (ctx) => {
      const { websocket, req } = ctx as unknown as { websocket: WebSocket; req: IncomingMessage }; // koa-websocket's context
      const upgrade = accepted.get(req);
      if (!upgrade) return websocket.close(1008, 'not accepted');
      const connection = createConnection(websocket, req.socket);
      limitFrames(websocket);
      watch.add(websocket, upgrade.input.user);
      try {
        await upgrade.route.open(upgrade.input, connection);
      } catch (error) {
        options.log.error({ err: error, path: ctx.path }, 'socket failed');
        connection.close(1011, 'internal error');
      }
    });
  // The types of koa-websocket know another version of the router's context.
  app.ws.use(router.routes() as unknown as Parameters<typeof app.ws.use>[0]);
  app.ws.use((ctx) => ctx.websocket.close(1008, 'nothing here'));

  const guard = createGuard(options);
  const room = createSocketRoom(options.perUser);
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const onError = () => stream.destroy();
    stream.on('error', onError);
    const admitted = options
      .during(() => guard(request))
      .then((upgrade) => {
        stream.once('close', room.enter(upgrade.input.user.userId));
        return upgrade;
      });
    admitted.then(
      (upgrade) => {
        stream.off('error', onError);
        accepted.set(request, upgrade);
        sockets.handleUpgrade(request, stream, head, (ws) => sockets.emit('connection', ws, request));
      },
      (error) => refuse(request, stream, error, options.log),
    );
  });
  return {
    count: () => sockets.clients.size,
    close() {
      watch.stop();
      for (const ws of sockets.clients) ws.close(1001, 'the server stops');
      sockets.close();
    },
  };
}

const colons = (path: string) => path.replaceAll(/\{(\w+)\}/g, ':$1');

/** Decides about an upgrade: route, origin, login, permission, parameters and what the route itself asks. */
function createGuard({ sockets, authenticator, origins }: SocketServerOptions) {
  const checker = createChecker();
  const router = new Router();
  const routes = new Map(
    sockets.map((route) => [
      colons(route.path),
      {
        route,
        params: route.params && checker.text(route.params),
        query: checker.text(withTicket(route)),
      },
    ]),
  );
  for (const path of routes.keys()) router.get(path, () => {});

  return async (request: IncomingMessage): Promise<Upgrade> => {
    const url = targetOf(request);
    const layer = router.match(url.pathname, 'GET').pathAndMethod.at(-1);
    const found = layer && routes.get(String(layer.path));
    if (!layer || !found) throw new AppError('not_found', `There is no WebSocket at ${url.pathname}.`);
    checkOrigin(request, origins);
    const query = storable(Object.fromEntries(url.searchParams));
    const user = await caller(request, query.ticket, authenticator);
    requirePermission(user, found.route.access);
    const params = storable(layer.params(url.pathname, layer.captures(url.pathname)));
    try {
      found.params?.(params);
    } catch (error) {
      throw new AppError('not_found', `There is nothing at ${url.pathname}.`, {}, { cause: error });
    }
    found.query(query);
    const input = { user, params, query };
    await found.route.authorize?.(input);
    return { route: found.route, input };
  };
}

const withTicket = (route: SocketRoute) =>
  Type.Object(
    { ...route.query?.properties, ticket: Type.Optional(Type.String({ maxLength: 200 })) },
    { additionalProperties: false },
  );

function checkOrigin(request: IncomingMessage, origins: readonly string[]): void {
  const { origin, host } = request.headers;
  if (origin === undefined || origins.includes(origin)) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new AppError('forbidden', `WebSockets from ${origin} are not allowed; see VAREON_CORS_ORIGINS.`);
}

async function caller(
  request: IncomingMessage,
  ticket: string | undefined,
  authenticator: SocketAuthenticator,
) {
  if (ticket !== undefined) return authenticator.consumeTicket(ticket);
  const { authorization } = request.headers;
  if (!authorization)
    throw new AppError(
      'unauthenticated',
      'This needs a login: send ?ticket= (POST /api/ws-ticket) or Authorization.',
    );
  return authenticator.authenticate(authorization);
}

/** Answers a refused upgrade as HTTP. */
function refuse(request: IncomingMessage, stream: Duplex, error: unknown, log: Logger): void {
  const requestId = uuidv7();
  if (isUnexpected(error)) log.error({ err: error, requestId }, 'upgrade failed');
  const reply = problemReply(error, requestId);
  const response = new ServerResponse(request);
  response.assignSocket(stream as Parameters<ServerResponse['assignSocket']>[0]); // an upgrade's stream is its socket
  response.shouldKeepAlive = false;
  response.writeHead(reply.status, { ...reply.headers, 'X-Request-Id': requestId, Connection: 'close' });
  response.end(JSON.stringify(reply.body), () => stream.end());
}
