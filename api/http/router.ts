import { Readable } from 'node:stream';
import Router, { type RouterContext } from '@koa/router';
import type { Context } from 'koa';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import type { Logger } from '../../logs.ts';
import { readBody, storable } from './body.ts';
import { type Check, createChecker } from './checks.ts';
import { isUnexpected, problemReply } from './problems.ts';
import type { Access, Reply, RequestInfo, Route } from './route.ts';

/** Tells who sends a request. */
export interface Authenticator {
  /**
   * The caller named by an `Authorization` header's value.
   * @throws AppError `unauthenticated` when there is none or it does not count any more.
   */
  authenticate(authorization: string): Promise<Principal>;
}

export interface AuditEntry {
  user: { userId: string | null; username: string } | undefined;
  /** The route, such as `POST /api/neosyntis/workflows/{id}/trigger`. */
  action: string;
  /** The path asked for, without its query. */
  resource: string;
  /** `ok`, or the code of the problem that was answered. */
  outcome: string;
  requestId: string;
  ip: string;
}

export interface RouterDeps {
  authenticator: Authenticator;
  /** The host that a credential belongs to, if it counts. */
  authenticateHost(credential: string): Promise<string | undefined>;
  audit(entry: AuditEntry): Promise<void>;
  /** Gives work up when the database goes away meanwhile. */
  during<T>(work: () => Promise<T>): Promise<T>;
  log: Logger;
}

/** Koa's router for a table of routes. */
export function createRouter(routes: readonly Route[], deps: RouterDeps): Router {
  const router = new Router();
  const checker = createChecker();
  for (const route of routes) {
    const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1');
    router.register(path, [route.method], handle(route, checker, deps));
  }
  return router;
}

function handle(route: Route, checker: ReturnType<typeof createChecker>, deps: RouterDeps) {
  const checks = {
    params: route.params && checker.text(route.params),
    query: route.query && checker.text(route.query),
    body: route.body && checker.body(route.body),
  };
  function failed(error: unknown, { requestId }: RequestInfo): Reply {
    if (isUnexpected(error)) deps.log.error({ err: error, requestId }, 'request failed');
    return problemReply(error, requestId);
  }
  const answer = async (ctx: RouterContext) => {
    const request = requestInfo(ctx);
    let user: Principal | undefined;
    let host: string | undefined;
    let reply: Reply;
    let outcome = 'ok';
    try {
      if (route.access === 'host') host = await callingHost(ctx, deps);
      else if (!route.withoutDatabase)
        user = await caller(ctx, route.access, route.tokenCookie, deps.authenticator);
      ctx.state.user = user;
      const input = await readInput(ctx, route, checks, user);
      reply = await route.handler({ user, host, request, ...input });
    } catch (error) {
      reply = failed(error, request);
      outcome = (reply.body as { code: string }).code; // problemReply makes such a body
    }
    const written =
      route.method !== 'GET' && route.audit !== false
        ? deps.audit({
            user: host === undefined ? user : { userId: null, username: `host ${host}` },
            action: `${route.method} ${route.path}`,
            resource: ctx.path,
            outcome,
            requestId: request.requestId,
            ip: request.ip,
          })
        : undefined;
    const [answered] = await Promise.all([reply.later?.().catch((error) => failed(error, request)), written]);
    send(ctx, answered ?? reply);
  };
  return route.withoutDatabase ? answer : (ctx: RouterContext) => deps.during(() => answer(ctx));
}

async function caller(
  ctx: RouterContext,
  access: Exclude<Access, 'host'>,
  tokenCookie: string | undefined,
  authenticator: Authenticator,
) {
  const kept = tokenCookie && ctx.cookies.get(tokenCookie);
  const authorization = ctx.get('Authorization') || (kept ? `Bearer ${kept}` : '');
  if (access === 'public')
    return authorization ? ifKnown(authenticator.authenticate(authorization)) : undefined;
  if (!authorization)
    throw new AppError('unauthenticated', 'This needs a login: send Authorization: Bearer <token>.');
  const user = await authenticator.authenticate(authorization);
  requirePermission(user, access);
  return user;
}

/** @throws AppError `unauthenticated` for everything but the credential of a host that counts. */
async function callingHost(ctx: RouterContext, deps: RouterDeps): Promise<string> {
  const credential = /^bearer +(\S{1,200}) *$/i.exec(ctx.get('Authorization'))?.[1];
  const host = credential && (await deps.authenticateHost(credential));
  if (host) return host;
  throw new AppError(
    'unauthenticated',
    'This is for worker hosts: the credential is missing or unknown, or the host was deleted or enrolled again.',
  );
}

/** On a public route a token that does not count any more is no token: its holder must be able to refresh it. */
async function ifKnown(user: Promise<Principal>): Promise<Principal | undefined> {
  try {
    return await user;
  } catch (error) {
    if (error instanceof AppError && error.code === 'unauthenticated') return undefined;
    throw error;
  }
}

/** @throws AppError `forbidden` that names what is missing. */
export function requirePermission(user: Principal, access: Exclude<Access, 'host'>): void {
  if (access === 'public' || access === 'login' || user.permissions.has(access)) return;
  throw new AppError(
    'forbidden',
    `This needs the permission ${access}, which ${user.username} does not have.`,
  );
}

type Checks = { params: Check | undefined; query: Check | undefined; body: Check | undefined };

async function readInput(ctx: RouterContext, route: Route, checks: Checks, user: Principal | undefined) {
  const params = { ...ctx.params };
  try {
    checks.params?.(storable(params));
  } catch (error) {
    throw new AppError('not_found', `There is nothing at ${ctx.path}.`, {}, { cause: error });
  }
  const query = storable({ ...ctx.query });
  if (checks.query) checks.query(query);
  else if (Object.keys(query).length > 0)
    throw new AppError('invalid', `This route takes no query; found ${Object.keys(query).join(', ')}.`, {
      errors: Object.keys(query).map((name) => ({ path: `/${name}`, message: 'unknown query parameter' })),
    });
  if (!checks.body) return { params, query, body: undefined };
  const body =
    (await readBody(ctx.req, {
      form: route.form === true,
      limitBytes: route.bodyLimitBytes,
      reads: user && readsFor(route, user),
    })) ?? (route.bodyOptional ? {} : undefined);
  if (body === undefined) throw new AppError('bad_request', 'This needs a JSON body; none was sent.');
  checks.body(body);
  return { params, query, body };
}

const readsFor = ({ reads = {} }: Route, user: Principal) =>
  Object.fromEntries(Object.entries(reads).map(([type, read]) => [type, (text: string) => read(text, user)]));

function requestInfo(ctx: RouterContext): RequestInfo {
  return {
    requestId: ctx.state.requestId,
    ip: ctx.ip,
    path: ctx.path,
    method: ctx.method,
    header: (name) => ctx.get(name),
    get headers() {
      return Object.fromEntries(Object.entries(ctx.headers).map(([name, value]) => [name, String(value)]));
    },
    stream: ctx.req,
    // Made for those who ask: aborting one is as dear as all the checks of a request.
    get signal() {
      const gone = new AbortController();
      if (ctx.res.closed) gone.abort();
      else ctx.res.once('close', () => gone.abort());
      return gone.signal;
    },
  };
}

/** What more of a refused body is read to keep its connection, instead of closing it. */
const REST_BYTES = 64 * 1024;

/** Whether a body is still coming that nobody will read. */
const isStillSending = ({ complete, headers }: Context['req']): boolean =>
  !complete && (headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > REST_BYTES);

export function send(ctx: Pick<Context, 'req' | 'set' | 'body' | 'status' | 'type'>, reply: Reply): void {
  ctx.status = reply.status;
  if (reply.status >= 400 && isStillSending(ctx.req)) ctx.set('Connection', 'close');
  for (const [name, value] of Object.entries(reply.headers ?? {})) ctx.set(name, value);
  if (reply.body === undefined) {
    ctx.body = null;
    ctx.status = reply.status;
    return;
  }
  if (reply.body instanceof Readable) {
    ctx.body = reply.body;
    // Again, for a stream's type and length are taken away.
    for (const [name, value] of Object.entries(reply.headers ?? {})) ctx.set(name, value);
    return;
  }
  const isText = typeof reply.body === 'string' || Buffer.isBuffer(reply.body);
  // Before the body, for which Koa would otherwise guess a type.
  const type = reply.headers?.['Content-Type'];
  if (type !== undefined) ctx.type = type;
  else ctx.set('Content-Type', isText ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8');
  ctx.body = isText ? reply.body : JSON.stringify(reply.body);
}
