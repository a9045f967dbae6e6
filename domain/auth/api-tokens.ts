import { type Static, Type } from 'typebox';
import { Id, literals, nullable, PageQuery, Time } from '../wire.ts';
import { permissions } from './permissions.ts';

const fields = {
  name: Type.String({ minLength: 1, maxLength: 100, examples: ['nightly build'] }),
  permissions: Type.Array(literals(permissions), {
    minItems: 1,
    maxItems: permissions.length,
    uniqueItems: true,
  }),
};

const expiry = 'null: never';

export const ApiToken = Type.Object(
  {
    id: Id,
    user_id: Id,
    ...fields,
    expires_at: nullable(Type.String({ format: 'date-time', description: expiry })),
    created_at: Time,
    last_used_at: nullable(Type.String({ format: 'date-time', description: 'to the minute' })),
  },
  { $id: 'ApiToken' },
);
export type ApiToken = Static<typeof ApiToken>;

export const NewApiToken = Type.Object(
  {
    ...fields,
    expires_at: Type.Optional(nullable(Type.String({ format: 'date-time', description: expiry }))),
  },
  { additionalProperties: false },
);

export const CreatedApiToken = Type.Object({
  ...ApiToken.properties,
  token: Type.String({ description: 'the secret; it is shown this once' }),
});

export const ApiTokenQuery = Type.Object(
  {
    ...PageQuery,
    user_id: Type.Optional(
      Type.String({ format: 'uuid', description: "whose; an administrator may name another's" }),
    ),
  },
  { additionalProperties: false },
);
