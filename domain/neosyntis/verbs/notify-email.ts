import { Type } from 'typebox';
import type { Verb } from '../verbs.ts';

const address = Type.String({
  // No spaces, line ends, or separators: an address goes into a mail header.
  pattern: '^[^@\\s<>,;:"\\\\]+@[^@\\s<>,;:"\\\\]+$',
  maxLength: 254,
  description: 'An e-mail address',
  examples: ['ada@example.org'],
});

export const notifyEmail = {
  name: 'notify.email',
  summary: 'Sends an e-mail',
  with: Type.Object(
    {
      to: Type.Union([address, Type.Array(address, { minItems: 1, maxItems: 20 })]),
      subject: Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\r\\n]*$' }),
      text: Type.String({ maxLength: 20_000 }),
    },
    { additionalProperties: false },
  ),
  // Addresses and subjects are kept in clear.
  secretsIn: ['text'],
  // The mail's row id is derived from run and step: a second attempt writes the same row.
  idempotent: true,
  brief: true,
  queue: 'platform',
} satisfies Verb;
