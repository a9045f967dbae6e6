import { type Static, Type } from 'typebox';
import { Email, Password } from './users.ts';

const closed = { additionalProperties: false } as const;

export const Login = Type.Object(
  {
    // OAuth 2 password clients send grant_type and the like with the form; they change nothing.
    username: Type.String({ minLength: 1, maxLength: 256 }),
    password: Password,
    grant_type: Type.Optional(Type.Literal('password')),
    scope: Type.Optional(Type.String({ maxLength: 1024 })),
    client_id: Type.Optional(Type.String({ maxLength: 256 })),
    client_secret: Type.Optional(Type.String({ maxLength: 256 })),
  },
  closed,
);

export const TokenPair = Type.Object(
  {
    access_token: Type.String(),
    token_type: Type.Literal('bearer'),
    expires_in: Type.Integer({ description: 'seconds' }),
    refresh_token: Type.String({ description: 'good for one use' }),
  },
  { $id: 'TokenPair', ...closed },
);
export type TokenPair = Static<typeof TokenPair>;

const RefreshToken = Type.String({ minLength: 1, maxLength: 256 });

export const Refresh = Type.Object({ refresh_token: RefreshToken }, closed);

export const Logout = Type.Object({ refresh_token: Type.Optional(RefreshToken) }, closed);

export const PasswordChange = Type.Object({ old_password: Password, new_password: Password }, closed);

export const ResetRequest = Type.Object({ email: Email }, closed);

/** 128 bits in base64url. */
export const EmailToken = Type.String({
  pattern: '^[A-Za-z0-9_-]{22}$',
  description: 'from the mail; good for one use',
  examples: ['q83vEjRWeJC83u8SNFZ4kA'],
});

export const ResetConfirmation = Type.Object({ token: EmailToken, password: Password }, closed);

export const Verification = Type.Object({ token: EmailToken }, closed);

export const Ticket = Type.Object({
  ticket: Type.String(),
  expires_in: Type.Integer({ description: 'seconds' }),
});

/** A session ends when it was not refreshed for this long. */
export const SESSION_IDLE_DAYS = 30;

/** A WebSocket ticket is good for one use within this time. */
export const TICKET_SECONDS = 30;

export const RESET_TOKEN_MINUTES = 60;
