import { Type } from 'typebox';
import type { InputProblem } from '../../errors.ts';
import { pointer } from '../../pointer.ts';
import { APPROVAL_LIMIT_BYTES } from '../approvals.ts';
import { DurationOrText, durationProblem } from '../dsl/base.ts';
import { durationMs } from '../duration.ts';
import { isExpression } from '../expressions.ts';
import { isObject, show } from '../json.ts';
import { jsonSchemaProblems } from '../json-schema.ts';
import { secretMentions } from '../sealed.ts';
import type { Verb } from '../verbs.ts';
import { notifyEmail } from './notify-email.ts';
import { notifyWebhook } from './notify-webhook.ts';

/** Reminders that come again and again are at least so far apart, and so many at most. */
export const REMIND_EVERY_MS = 60_000;
export const REMINDERS_LIMIT = 100;

const Remind = Type.Object(
  {
    after: Type.Optional(DurationOrText),
    every: Type.Optional(DurationOrText),
    by: Type.Object(
      {
        email: Type.Optional(notifyEmail.with.properties.to),
        webhook: Type.Optional(
          Type.Object(
            { url: notifyWebhook.with.properties.url, secret: notifyWebhook.with.properties.secret },
            { additionalProperties: false },
          ),
        ),
      },
      { additionalProperties: false, minProperties: 1 },
    ),
  },
  { additionalProperties: false },
);

/** `approval.wait`: the run waits for a person. The workflow carries it out itself: it is a wait. */
export const approvalWait = {
  name: 'approval.wait',
  summary: 'Waits until a person approves or rejects',
  with: Type.Object(
    {
      title: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
      message: Type.Optional(Type.String({ maxLength: 20_000 })),
      approvers: Type.Optional(
        Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { minItems: 1, maxItems: 20 }),
      ),
      schema: Type.Optional(Type.Unknown({ description: 'JSON Schema for `data` of the answer' })),
      remind: Type.Optional(Remind),
      onTimeout: Type.Optional(Type.Union([Type.Literal('approve'), Type.Literal('reject')])),
    },
    { additionalProperties: false },
  ),
  check({ schema, remind }) {
    return [...schemaProblems(schema), ...(isObject(remind) ? remindProblems(remind) : [])];
  },
  // Titles, messages and schemas are kept in clear.
  secretsIn: ['remind'],
  // Its row's id is derived from run and step, and asking again changes nothing.
  idempotent: true,
  queue: 'platform',
} satisfies Verb;

function schemaProblems(schema: unknown): InputProblem[] {
  if (schema === undefined || isExpression(schema)) return [];
  const add = (message: string) => [{ path: '/schema', message }];
  if (typeof schema !== 'boolean' && !isObject(schema))
    return add(`must be a JSON Schema, an object or true or false, found ${show(schema)}`);
  const { length } = JSON.stringify(schema);
  if (length > APPROVAL_LIMIT_BYTES / 2)
    return add(`has ${length} characters of JSON; ${APPROVAL_LIMIT_BYTES / 2} is the limit`);
  return jsonSchemaProblems(schema).map(({ path, message }) => ({ path: `/schema${path}`, message }));
}

function remindProblems(remind: Record<string, unknown>): InputProblem[] {
  const found: InputProblem[] = [];
  if (remind.after === undefined && remind.every === undefined)
    found.push({ path: '/remind', message: 'needs `after`, `every` or both' });
  for (const key of ['after', 'every']) {
    const value = remind[key];
    if (isExpression(value)) continue;
    const message = durationProblem(value) ?? (key === 'every' ? tooOften(value) : undefined);
    if (message !== undefined) found.push({ path: pointer('/remind', key), message });
  }
  const { email, webhook } = isObject(remind.by) ? remind.by : {};
  for (const { path, name } of secretMentions(email, '/remind/by/email'))
    if (name !== undefined)
      found.push({
        path,
        message: 'uses `$secrets`, which is kept in clear there; it may be used in webhook',
      });
  if (isObject(webhook))
    for (const { path, message } of notifyWebhook.check(webhook))
      found.push({ path: `/remind/by/webhook${path}`, message });
  return found;
}

const tooOften = (value: unknown): string | undefined => {
  const ms = typeof value === 'string' || isObject(value) ? durationMs(value) : undefined;
  return typeof ms === 'number' && ms < REMIND_EVERY_MS ? 'must be a minute or longer' : undefined;
};
