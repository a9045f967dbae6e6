import { Type } from 'typebox';
import { createUserRepository, type UserChanges } from '../../db/auth/users.ts';
import type { QueuedMail } from '../../db/system/outbox.ts';
import { requireSession } from '../../domain/auth/principal.ts';
import { adminWritable, DeleteUserQuery, ownWritable, User, UserChange } from '../../domain/auth/users.ts';
import { IdParams, PageQuery } from '../../domain/wire.ts';
import { pageReply } from '../http/page.ts';
import { changesOf, etagOf, requireMatch } from '../http/put.ts';
import { noContent, ok, type Route, route } from '../http/route.ts';
import type { AuthDeps } from './deps.ts';
import { deliver, queueVerification } from './mails.ts';

const ifMatch = {
  'If-Match': 'the ETag that you have read; refused with 412 when the user has changed since',
};

/** Accounts: one's own, and all of them for administrators. */
export function createUserRoutes(deps: AuthDeps): Route[] {
  const users = createUserRepository(deps.database);

  async function change(id: string, etag: string, decide: (current: User) => UserChanges): Promise<User> {
    const mails: QueuedMail[] = [];
    const user = await users.change(id, {
      decide: (current) => {
        requireMatch(etag, etagOf(current));
        return decide(current);
      },
      onNewEmail: async (em, changed) => {
        mails.push(await queueVerification(em, changed, deps));
      },
    });
    deps.authenticator.forget();
    deliver(mails, deps);
    return user;
  }

  const shown = (user: User) => ok(user, { ETag: etagOf(user) });

  return [
    route({
      method: 'GET',
      path: '/api/users/me',
      access: 'login',
      summary: 'Your account',
      answers: { 200: { description: 'You, with an ETag', schema: User } },
      handler: async ({ user }) => shown(await users.get(user.userId)),
    }),
    route({
      method: 'PUT',
      path: '/api/users/me',
      access: 'login',
      summary: 'Change your user name or e-mail address',
      description: 'A new address has to be verified again; a mail is sent to it.',
      body: UserChange,
      headers: ifMatch,
      answers: { 200: { description: 'You, changed', schema: User } },
      errors: ['conflict', 'precondition_failed'],
      handler: async ({ user, body, request }) => {
        requireSession(user);
        const decide = (current: User) => changesOf(current, body, ownWritable);
        return shown(await change(user.userId, request.header('If-Match'), decide));
      },
    }),
    route({
      method: 'GET',
      path: '/api/users',
      access: 'system:users:read',
      summary: 'All accounts, newest first',
      query: Type.Object(PageQuery, { additionalProperties: false }),
      answers: { 200: { description: 'Users', schema: Type.Array(User) } },
      handler: async ({ query, request }) => pageReply(await users.list(query), query, request),
    }),
    route({
      method: 'GET',
      path: '/api/users/{id}',
      access: 'system:users:read',
      summary: 'One account',
      params: IdParams,
      answers: { 200: { description: 'The user, with an ETag', schema: User } },
      errors: ['not_found'],
      handler: async ({ params }) => shown(await users.get(params.id)),
    }),
    route({
      method: 'PUT',
      path: '/api/users/{id}',
      access: 'system:users:write',
      summary: 'Change an account',
      description:
        'A new role, grant or deactivation ends the access tokens of the user. A new e-mail address is unverified unless is_verified is sent too.',
      params: IdParams,
      body: UserChange,
      headers: ifMatch,
      answers: { 200: { description: 'The user, changed', schema: User } },
      errors: ['not_found', 'conflict', 'precondition_failed'],
      handler: async ({ user, params, body, request }) => {
        requireSession(user);
        // Said together with a new address it means that one, so it counts also where it changes nothing now.
        const verified = body.is_verified === undefined ? {} : { is_verified: body.is_verified };
        const decide = (current: User) => ({ ...changesOf(current, body, adminWritable), ...verified });
        return shown(await change(params.id, request.header('If-Match'), decide));
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/users/{id}',
      access: 'system:users:write',
      summary: 'Delete an account',
      description: 'Its sessions and tokens end at once. What it owns needs an heir.',
      params: IdParams,
      query: DeleteUserQuery,
      answers: { 204: { description: 'Deleted' } },
      errors: ['not_found', 'conflict'],
      handler: async ({ user, params, query }) => {
        requireSession(user);
        await users.remove(params.id, query.reassign_to, deps.ownership);
        deps.authenticator.forget();
        return noContent();
      },
    }),
  ];
}
