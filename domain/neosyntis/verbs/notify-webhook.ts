import { Type } from 'typebox';
import type { InputProblem } from '../../errors.ts';
import { urlProblem } from '../../outbound/request-rules.ts';
import { isExpression } from '../expressions.ts';
import type { Verb } from '../verbs.ts';
import { headerProblems, headers } from './http/headers.ts';

const ownHeaders = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];

/** Base64 of 24 to 64 bytes, with or without its prefix (Standard Webhooks, "Signature scheme"). */
const secretForm = /^(?:whsec_)?(?=.{32,88}$)(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** `notify.webhook`: a message as https://www.standardwebhooks.com has it. */
export const notifyWebhook = {
  name: 'notify.webhook',
  summary: 'Sends a webhook, signed when a secret is given',
  with: Type.Object(
    {
      url: Type.String({ minLength: 1, maxLength: 10_000 }),
      body: Type.Unknown({ description: 'Text is sent as it is, all else as JSON' }),
      headers: Type.Optional(headers()),
      method: Type.Optional(Type.Union([Type.Literal('POST'), Type.Literal('PUT')])),
      secret: Type.Optional(
        Type.String({ maxLength: 16_000, description: '`whsec_` and the Base64 of 24 to 64 bytes' }),
      ),
    },
    { additionalProperties: false },
  ),
  check({ url, secret, headers: given }) {
    const found: InputProblem[] = [];
    const problem = typeof url === 'string' && !isExpression(url) ? urlProblem(url) : undefined;
    if (problem) found.push({ path: '/url', message: problem });
    if (typeof secret === 'string' && !isExpression(secret) && !secretForm.test(secret))
      found.push({ path: '/secret', message: 'must be `whsec_` and the Base64 of 24 to 64 bytes' });
    return [...found, ...headerProblems(given, ownHeaders)];
  },
  // Its id is derived from run and step: whoever gets it twice can tell.
  idempotent: true,
  retry: { attempts: 8, firstPauseMs: 1_000 },
  queue: 'outbound',
} satisfies Verb;
