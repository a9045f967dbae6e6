import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import Koa, { type Context, type Next } from 'koa';
import { AppError } from '../../domain/errors.ts';
import type { Logger } from '../../logs.ts';
import { limitBodyTime } from './body-time.ts';
import { isUnexpected, problemReply } from './problems.ts';
import { answerProtocolErrors, isWebSocket } from './protocol-errors.ts';
import type { Route } from './route.ts';
import { createRouter, type RouterDeps, send } from './router.ts';

export interface AppOptions extends RouterDeps {
  routes: readonly Route[];
  corsOrigins: readonly string[];
  /** Reverse proxies in front that each add to X-Forwarded-For; with none the header is not looked at. */
  proxies?: number;
  /** Runs before CORS is answered, for routes with rules of their own. */
  beforeCors?: (ctx: Context, next: Next) => Promise<unknown>;
  observe?(route: string, method: string, status: number, seconds: number): void;
}

/** The Koa application for a table of routes: request ids, access log, CORS, problems for everything else. */
export function createApp(options: AppOptions): Koa {
  // Of the header's addresses only the last ones are the proxies'; those before are what a client made up.
  const { proxies = 0 } = options;
  const app = new Koa({ proxy: proxies > 0, maxIpsCount: proxies });
  const router = createRouter(options.routes, options);
  app.use(logged(options));
  app.use(guarded(options.log));
  if (options.beforeCors) app.use(options.beforeCors);
  app.use(cors(options.corsOrigins));
  app.use(securityHeaders);
  app.use(router.routes());
  app.use((ctx: Context) => {
    const allowed = router.match(ctx.path, ctx.method).path.flatMap((layer) => layer.methods);
    if (allowed.length === 0)
      throw new AppError('not_found', `There is nothing at ${ctx.path}; see /docs for what is.`);
    ctx.set('Allow', [...new Set(allowed)].join(', '));
    throw new AppError(
      'bad_request',
      `${ctx.path} does not take ${ctx.method}; it takes ${allowed.join(', ')}.`,
    );
  });
  return app;
}

/** Where requests come in: plain HTTP, or TLS with a certificate of one's own. */
export function createServer(
  tls: { cert: Buffer; key: Buffer } | undefined,
  handler: (req: IncomingMessage, res: ServerResponse) => void,
): Server {
  // A client has 10 s to send its headers and 60 s for the whole request, so slow ones cannot hold sockets.
  const limits = {
    headersTimeout: 10_000,
    // body-time.ts has it, for a large file may take longer.
    requestTimeout: 0,
    keepAliveTimeout: 65_000,
    connectionsCheckingInterval: 5_000,
    shouldUpgradeCallback: isWebSocket,
    // target.ts asks for it, and answers with a problem.
    requireHostHeader: false,
  };
  const server = tls
    ? createHttpsServer({ ...limits, ...tls, handshakeTimeout: 10_000 }, handler)
    : createHttpServer(limits, handler);
  // RFC 9110, 10.1.1: an expectation that a server does not know may be ignored.
  server.on('checkExpectation', handler);
  server.on('checkContinue', (req, res) => {
    continueOnceRead(req, res);
    server.emit('request', req, res);
  });
  answerProtocolErrors(server);
  limitBodyTime(server);
  return server;
}

/** Who asks before it sends a body (RFC 9110, 10.1.1) is told to once somebody reads it: 2 GB are refused before they come. */
function continueOnceRead(req: IncomingMessage, res: ServerResponse): void {
  const read = req._read;
  req._read = (size) => {
    req._read = read;
    if (!res.headersSent) res.writeContinue();
    read.call(req, size);
  };
}

function logged(options: AppOptions) {
  // Its fields are these and no secrets; looking for some in each line takes seven times as long as writing it.
  const log = options.log.child({}, { redact: [] });
  return async (ctx: Context, next: Next) => {
    const startedAt = performance.now();
    ctx.state.requestId = randomUUID();
    ctx.set('X-Request-Id', ctx.state.requestId);
    try {
      await next();
    } finally {
      const ms = performance.now() - startedAt;
      const route = typeof ctx.routerPath === 'string' ? ctx.routerPath : 'unmatched';
      options.observe?.(route, ctx.method, ctx.status, ms / 1000);
      log.info(
        {
          requestId: ctx.state.requestId,
          method: ctx.method,
          path: ctx.path,
          status: ctx.status,
          ms: Math.round(ms * 10) / 10,
          userId: ctx.state.user?.userId,
        },
        'request',
      );
    }
  };
}

const guarded = (log: Logger) => async (ctx: Context, next: Next) => {
  try {
    await next();
  } catch (error) {
    if (isUnexpected(error)) log.error({ err: error, requestId: ctx.state.requestId }, 'request failed');
    send(ctx, problemReply(error, ctx.state.requestId));
  }
};

const cors = (origins: readonly string[]) => async (ctx: Context, next: Next) => {
  ctx.vary('Origin');
  const origin = ctx.get('Origin');
  if (origin && origins.includes(origin)) {
    ctx.set('Access-Control-Allow-Origin', origin);
    ctx.set('Access-Control-Expose-Headers', 'X-Request-Id, Location, Link, ETag, Retry-After');
    if (ctx.method === 'OPTIONS') {
      ctx.set('Access-Control-Allow-Methods', 'GET, POST, PUT, DELETE');
      ctx.set('Access-Control-Allow-Headers', 'Authorization, Content-Type, Idempotency-Key, If-Match');
      ctx.set('Access-Control-Max-Age', '600');
      ctx.status = 204;
      return;
    }
  }
  await next();
};

const securityHeaders = async (ctx: Context, next: Next) => {
  ctx.set('X-Content-Type-Options', 'nosniff');
  ctx.set('Referrer-Policy', 'no-referrer');
  ctx.set('Cache-Control', 'no-store');
  ctx.set('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
  await next();
};
