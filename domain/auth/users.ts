import { type Static, Type } from 'typebox';
import { Id, literals, Time } from '../wire.ts';
import { grantable, roles } from './permissions.ts';

export const Username = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{1,63}$',
  description: '2 to 64 letters, digits, dots, dashes and underscores; unique whatever its case',
  examples: ['ada'],
});

/** Local names such as admin@localhost count; what could end a mail header or an address list does not. */
export const Email = Type.String({
  pattern: '^[^\\s\\p{Cc}@<>"(),:;\\\\\\[\\]]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,180}[A-Za-z0-9])?$',
  description: 'unique whatever its case',
  examples: ['ada@example.org'],
});

/** The limits of 8 and 256 characters hold after NFKC; this one only bounds the work. */
export const Password = Type.String({ maxLength: 1024, examples: ['a long walk to the sea'] });

export const User = Type.Object(
  {
    id: Id,
    username: Username,
    email: Email,
    role: literals(roles),
    is_active: Type.Boolean(),
    is_verified: Type.Boolean({ description: 'an unverified account may do what a viewer may do' }),
    granted_permissions: Type.Array(literals(grantable), { uniqueItems: true, maxItems: grantable.length }),
    created_at: Time,
  },
  { $id: 'User', additionalProperties: false },
);
export type User = Static<typeof User>;

/** A whole user or a part of one; which fields may change is the route's to say. */
export const UserChange = Type.Partial(Type.Object(User.properties), { additionalProperties: false });

/** What an administrator may change of a user, and a user of their own account. */
export const adminWritable = [
  'username',
  'email',
  'role',
  'is_active',
  'is_verified',
  'granted_permissions',
] as const;
export const ownWritable = ['username', 'email'] as const;

export const Registration = Type.Object(
  { username: Username, email: Email, password: Password },
  { additionalProperties: false },
);

export const DeleteUserQuery = Type.Object(
  {
    reassign_to: Type.Optional(
      Type.String({ format: 'uuid', description: 'the user who gets what the deleted one owns' }),
    ),
  },
  { additionalProperties: false },
);
