import { Type } from 'typebox';
import type { SecretRepository } from '../../db/neosyntis/secrets.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError } from '../../domain/errors.ts';
import {
  NewSecret,
  SECRET_LIMIT_BYTES,
  Secret,
  SecretParams,
  SecretUpdate,
} from '../../domain/neosyntis/secrets.ts';
import { byteLength } from '../../domain/neosyntis/shown.ts';
import type { Json } from '../../domain/wire.ts';
import { changesOf, etagOf, requireMatch } from '../http/put.ts';
import { created, noContent, ok, type Route, route } from '../http/route.ts';

const base = '/api/neosyntis/secrets';

/** Values that runs use and nobody reads again. */
export const createSecretRoutes = ({ secrets }: { secrets: SecretRepository }): Route[] => [
  route({
    method: 'GET',
    path: base,
    access: 'neosyntis:secrets:read',
    summary: 'List the secrets that your runs can use',
    description: 'Your own and shared ones, by name. Values are never shown.',
    query: Type.Object({}, { additionalProperties: false }),
    answers: { 200: { description: 'without their values', schema: Type.Array(Secret) } },
    handler: async ({ user }) => ok(await secrets.list(user)),
  }),
  route({
    method: 'POST',
    path: base,
    access: 'neosyntis:secrets:write',
    summary: 'Make a secret',
    description: 'Steps use it as `$secrets.name`; docs/steps.md says where.',
    body: NewSecret,
    answers: { 201: { description: 'without its value', schema: Secret } },
    errors: ['conflict'],
    async handler({ user, body }) {
      requireSmall(body.value);
      requireSharer(user, body.shared);
      const secret = await secrets.create(user, body.name, body.value, body.shared ?? false);
      return created(secret, `${base}/${secret.name}`);
    },
  }),
  route({
    method: 'GET',
    path: `${base}/{name}`,
    access: 'neosyntis:secrets:read',
    summary: 'Read about a secret',
    params: SecretParams,
    answers: { 200: { description: 'without its value', schema: Secret } },
    async handler({ user, params }) {
      const secret = await secrets.get(user, params.name);
      return ok(secret, { ETag: etagOf(secret) });
    },
  }),
  route({
    method: 'PUT',
    path: `${base}/{name}`,
    access: 'neosyntis:secrets:write',
    summary: 'Make your secret of this name, or change it',
    description: 'A new one needs a `value`; without one the value stays. Honours If-Match.',
    params: SecretParams,
    body: SecretUpdate,
    headers: { 'If-Match': 'the ETag of what was read' },
    answers: {
      200: { description: 'changed', schema: Secret },
      201: { description: 'made', schema: Secret },
    },
    errors: ['conflict', 'precondition_failed'],
    async handler({ user, params, body, request }) {
      const { value, ...rest } = body;
      if (value !== undefined) requireSmall(value);
      const { secret, isNew } = await secrets.put(user, params.name, (current) => {
        if (current) requireMatch(request.header('If-Match'), etagOf(current));
        else if (value === undefined) throw withoutValue(params.name);
        const shown = current ?? { name: params.name, own: true, shared: false };
        const { shared } = changesOf<Partial<Secret>, 'shared'>(shown, rest, ['shared']);
        requireSharer(user, shared ?? current?.shared);
        return { ...(value === undefined ? {} : { value }), ...(shared === undefined ? {} : { shared }) };
      });
      if (isNew) return created(secret, `${base}/${secret.name}`);
      return ok(secret, { ETag: etagOf(secret) });
    },
  }),
  route({
    method: 'DELETE',
    path: `${base}/{name}`,
    access: 'neosyntis:secrets:write',
    summary: 'Delete your secret of this name',
    description: 'Steps that use it fail from then on, unless one of that name is shared.',
    params: SecretParams,
    answers: { 204: { description: 'deleted' } },
    async handler({ user, params }) {
      await secrets.remove(user, params.name);
      return noContent();
    },
  }),
];

function requireSmall(value: Json): void {
  const bytes = byteLength(value);
  if (bytes <= SECRET_LIMIT_BYTES) return;
  const message = `value is ${bytes} bytes of JSON; ${SECRET_LIMIT_BYTES} is the limit`;
  throw new AppError('invalid', `${message}.`, { errors: [{ path: '/value', message }] });
}

/** Also for a change of a shared one: it goes to the runs of all users. */
function requireSharer(user: Principal, shared: boolean | undefined): void {
  if (shared === true && !user.isAdmin)
    throw new AppError('forbidden', 'Only administrators share secrets: leave "shared" out or false.');
}

const withoutValue = (name: string) => {
  const message = `"value" is missing; there is no secret "${name}" of yours yet`;
  return new AppError('invalid', `${message}.`, { errors: [{ path: '/value', message }] });
};
