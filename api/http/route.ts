import type { Readable } from 'node:stream';
import type { Static, TObject, TSchema } from 'typebox';
import type { Permission } from '../../domain/auth/permissions.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import type { ErrorCode } from '../../domain/errors.ts';

/**
 * `public` needs no login; `login` any; a permission names what is needed; `host` is for worker hosts, by their own
 * credential, and for nobody else. A route without it does not compile.
 */
export type Access = 'public' | 'login' | 'host' | Permission;

export interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
  /** What is to be answered instead, once it is there: all that the request does is done before, and is audited. */
  later?: () => Promise<Reply>;
}

export interface RequestInfo {
  requestId: string;
  ip: string;
  path: string;
  /** GET routes are asked with HEAD, too. */
  method: string;
  header(name: string): string;
  /** All of them by their lower-case names; one that came several times as it is joined. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body, for a route with `binaryBody`. */
  stream: Readable;
  /** Aborts when the client went away. */
  signal: AbortSignal;
}

type Of<S> = S extends TSchema ? Static<S> : undefined;

export interface RouteInput<A, P, Q, B> {
  user: A extends 'public' ? Principal | undefined : A extends 'host' ? undefined : Principal;
  /** The name of the host that asks. */
  host: A extends 'host' ? string : undefined;
  params: Of<P>;
  query: Of<Q>;
  body: Of<B>;
  request: RequestInfo;
}

export interface Answered {
  description: string;
  schema?: TSchema;
  type?: string;
  example?: unknown;
  /** The media types of texts that it gives besides JSON, when asked. */
  texts?: readonly string[];
}

export interface RouteDefinition<A extends Access, P, Q, B> {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With `{name}` for parameters, as in OpenAPI. */
  path: string;
  access: A;
  summary: string;
  description?: string;
  params?: P;
  query?: Q;
  body?: B;
  /** The most that a body may have; 1 MiB without it. */
  bodyLimitBytes?: number;
  /** Takes bytes of any kind, which the handler reads from `request.stream`, and no `body`. */
  binaryBody?: {
    limitBytes: number;
    /** What it may be, by media type; otherwise bytes. */
    types?: Record<string, { schema: TSchema; example: unknown }>;
  };
  /** A cookie that may hold the bearer token, for a caller that is a web page of another program. */
  tokenCookie?: string;
  /** A body may be left out (or be empty); it is then `{}`. */
  bodyOptional?: boolean;
  /** Also accepts `application/x-www-form-urlencoded`. */
  form?: boolean;
  /** Media types that it takes besides JSON, and how each is read to what `body` describes. */
  reads?: Record<string, (text: string, user: Principal) => unknown>;
  /** Request headers worth documenting. */
  headers?: Record<string, string>;
  /** Successful answers by status; the OpenAPI document and the tests hold the route to them. */
  answers: Record<number, Answered>;
  /** Besides those that every route can give (401, 403, 422, 500, 503). */
  errors?: readonly ErrorCode[];
  /** Changes of state are written to the audit log; a route that only reads or checks says false. */
  audit?: false;
  /** A public route that answers whatever the database does, and does not know who asks. */
  withoutDatabase?: true;
  handler(input: RouteInput<A, P, Q, B>): Promise<Reply>;
}

/** A route as the router, the OpenAPI document and the tests see it. */
export type Route = Omit<RouteDefinition<Access, TObject, TObject, TSchema>, 'handler'> & {
  handler(input: {
    user: Principal | undefined;
    host: string | undefined;
    params: unknown;
    query: unknown;
    body: unknown;
    request: RequestInfo;
  }): Promise<Reply>;
};

/** Ties the handler's types to the route's schemas; the router has checked the values when it is called. */
export function route<
  A extends Access,
  P extends TObject | undefined = undefined,
  Q extends TObject | undefined = undefined,
  B extends TSchema | undefined = undefined,
>(definition: RouteDefinition<A, P, Q, B>): Route {
  // The router calls the handler with values that it has checked against these very schemas.
  return definition as unknown as Route;
}

export const ok = (body: unknown, headers: Record<string, string> = {}): Reply => ({
  status: 200,
  body,
  headers,
});

export const created = (body: unknown, location: string): Reply => ({
  status: 201,
  body,
  headers: { Location: location },
});

export const accepted = (body: unknown, location: string): Reply => ({
  status: 202,
  body,
  headers: { Location: location },
});

export const noContent = (): Reply => ({ status: 204 });
