import { type Static, Type } from 'typebox';
import { Id, literals, nullable, PageQuery, Time } from '../wire.ts';

export const mailKinds = ['verify_email', 'password_reset', 'notification'] as const;
export type MailKind = (typeof mailKinds)[number];

export const mailStates = ['queued', 'delivered', 'expired', 'failed'] as const;

/** A mail in the outbox; its text is kept sealed until it is delivered or expires. */
export const Mail = Type.Object(
  {
    id: Id,
    to: Type.String(),
    subject: Type.String(),
    kind: literals(mailKinds),
    state: literals(mailStates),
    attempts: Type.Integer({ minimum: 0 }),
    last_error: nullable(Type.String()),
    expires_at: Time,
    created_at: Time,
    delivered_at: nullable(Type.String({ format: 'date-time' })),
  },
  { $id: 'Mail' },
);
export type Mail = Static<typeof Mail>;

export const MailWithText = Type.Object({
  ...Mail.properties,
  text: nullable(Type.String({ description: 'null once it is delivered or expired' })),
});

export const MailQuery = Type.Object(
  { ...PageQuery, state: Type.Optional(literals(mailStates)) },
  { additionalProperties: false },
);

export interface NewMail {
  /** A derived id makes putting it twice putting it once. */
  id?: string;
  to: string;
  subject: string;
  kind: MailKind;
  text: string;
  expiresAt: Date;
}

export const verificationMail = (
  username: string,
  link: string,
): Pick<NewMail, 'subject' | 'kind' | 'text'> => ({
  kind: 'verify_email',
  subject: 'Confirm your e-mail address',
  text: `Hello ${username},

please confirm that this address is yours by opening this page:

${link}

If you have no Vareon account, you need not do anything.
`,
});

export const resetMail = (
  username: string,
  token: string,
  minutes: number,
): Pick<NewMail, 'subject' | 'kind' | 'text'> => ({
  kind: 'password_reset',
  subject: 'Choose a new password',
  text: `Hello ${username},

somebody, hopefully you, asked to set a new password for your Vareon account. This token allows it once
within ${minutes} minutes (POST /api/password-reset/confirm):

${token}

If it was not you, ignore this mail: your password stays as it is.
`,
});
