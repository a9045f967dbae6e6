import { Type } from 'typebox';
import { createApiTokenRepository } from '../../db/auth/api-tokens.ts';
import { ApiToken, ApiTokenQuery, CreatedApiToken, NewApiToken } from '../../domain/auth/api-tokens.ts';
import type { Permission } from '../../domain/auth/permissions.ts';
import { type Principal, requireSession } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import { IdParams } from '../../domain/wire.ts';
import { pageReply } from '../http/page.ts';
import { created, noContent, ok, type Route, route } from '../http/route.ts';
import type { AuthDeps } from './deps.ts';

/** Long-lived credentials for programs, with some of their owner's permissions. */
export function createApiTokenRoutes(deps: AuthDeps): Route[] {
  const tokens = createApiTokenRepository(deps.database);
  return [
    route({
      method: 'GET',
      path: '/api/api-tokens',
      access: 'login',
      summary: 'Your API tokens, newest first, without their secrets',
      query: ApiTokenQuery,
      answers: { 200: { description: 'API tokens', schema: Type.Array(ApiToken) } },
      handler: async ({ user, query, request }) =>
        pageReply(await tokens.list(user, query.user_id ?? user.userId, query), query, request),
    }),
    route({
      method: 'POST',
      path: '/api/api-tokens',
      access: 'login',
      summary: 'Make an API token',
      description: 'It may do what is listed, as far as you may do it whenever it is used.',
      body: NewApiToken,
      answers: {
        201: { description: 'The token with its secret, which is shown this once', schema: CreatedApiToken },
      },
      handler: async ({ user, body }) => {
        requireSession(user);
        requireOwn(user, body.permissions);
        const { name, permissions } = body;
        const token = await tokens.create(user.userId, {
          name,
          permissions,
          expiresAt: future(body.expires_at),
        });
        return created(token, `/api/api-tokens/${token.id}`);
      },
    }),
    route({
      method: 'GET',
      path: '/api/api-tokens/{id}',
      access: 'login',
      summary: 'One API token, without its secret',
      params: IdParams,
      answers: { 200: { description: 'The token', schema: ApiToken } },
      errors: ['not_found'],
      handler: async ({ user, params }) => ok(await tokens.get(user, params.id)),
    }),
    route({
      method: 'DELETE',
      path: '/api/api-tokens/{id}',
      access: 'login',
      summary: 'Revoke an API token',
      description: 'With an API token only itself.',
      params: IdParams,
      answers: { 204: { description: 'Revoked' } },
      errors: ['not_found'],
      handler: async ({ user, params }) => {
        const isItself = user.credential.kind === 'api_token' && user.credential.tokenId === params.id;
        if (!isItself) requireSession(user);
        await tokens.remove(user, params.id);
        deps.authenticator.forget();
        return noContent();
      },
    }),
  ];
}

function requireOwn(user: Principal, wanted: readonly Permission[]): void {
  const errors = wanted.flatMap((permission, index) =>
    user.permissions.has(permission)
      ? []
      : [{ path: `/permissions/${index}`, message: `you do not have ${permission} yourself` }],
  );
  const [first] = errors;
  if (first)
    throw new AppError('invalid', `The token would have more permissions than you: ${first.message}.`, {
      errors,
    });
}

function future(expiresAt: string | null | undefined): Date | null {
  if (!expiresAt) return null;
  const date = new Date(expiresAt);
  if (date.getTime() > Date.now()) return date;
  const message = `expires_at must be in the future; it is ${expiresAt}`;
  throw new AppError('invalid', `${message}.`, { errors: [{ path: '/expires_at', message }] });
}
