import type { Context, Next } from 'koa';
import { AppError } from '../../domain/errors.ts';

export const CODEC_PATH = '/api/temporal/codec';

/** The origins of Temporal's UI: its URL's, and for one on loopback both of its names. */
export function uiOrigins(uiUrl: string | undefined): string[] {
  const url = uiUrl === undefined ? null : URL.parse(uiUrl);
  if (!url) return [];
  const names = ['127.0.0.1', 'localhost'];
  return names.includes(url.hostname)
    ? names.map((name) => `${url.protocol}//${name}${url.port ? `:${url.port}` : ''}`)
    : [url.origin];
}

/**
 * Which web pages may use the codec's routes: those of Temporal's UI may decode, with cookies; those of our own
 * origin may do both; all others are refused, whatever CORS allows them elsewhere. Callers that are no web pages
 * send no Origin.
 */
export const codecOrigin =
  (origins: readonly string[], ownOrigins: readonly string[]) => async (ctx: Context, next: Next) => {
    const path = ctx.path.toLowerCase(); // the router does not look at the case
    if (!path.startsWith(`${CODEC_PATH}/`)) return next();
    const origin = ctx.get('Origin');
    if (origin === '' || isOwn(origin, ctx, ownOrigins)) return next();
    if (!origins.includes(origin) || path !== `${CODEC_PATH}/decode`)
      throw new AppError('forbidden', `Pages of ${origin.slice(0, 200)} may not decode; Temporal’s UI may.`);
    ctx.vary('Origin');
    ctx.set('Access-Control-Allow-Origin', origin);
    ctx.set('Access-Control-Allow-Credentials', 'true');
    if (ctx.method !== 'OPTIONS') return next();
    ctx.set('Access-Control-Allow-Methods', 'POST');
    ctx.set('Access-Control-Allow-Headers', 'Authorization, Content-Type, X-Namespace');
    ctx.set('Access-Control-Max-Age', '600');
    ctx.status = 204;
  };

const isOwn = (origin: string, ctx: Context, ownOrigins: readonly string[]) =>
  origin === `${ctx.protocol}://${ctx.host}` || ownOrigins.includes(origin);
