import { type Static, Type } from 'typebox';
import { Id, literals, nullable, PageQuery, Time } from '../wire.ts';

export const mailKinds = ['verify_email', 'password_reset'] as const;
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
  to: string;
  subject: string;
  kind: MailKind;
  text: string;
  expiresAt: Date;
}

/** Seals texts for the place they are kept in: what was sealed for one row cannot be opened as another's. */
export interface Envelope {
  seal(text: string, place: string): Buffer;
  /** @throws Error when it was changed, was sealed for another place, or its key is not known. */
  open(sealed: Buffer, place: string): string;
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
