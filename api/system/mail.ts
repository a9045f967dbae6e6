import { Type } from 'typebox';
import type { AuditLog } from '../../db/system/audit.ts';
import type { Outbox } from '../../db/system/outbox.ts';
import { requireSession } from '../../domain/auth/principal.ts';
import { Mail, MailQuery, MailWithText } from '../../domain/system/mail.ts';
import { IdParams } from '../../domain/wire.ts';
import { pageReply } from '../http/page.ts';
import { ok, type Route, route } from '../http/route.ts';

/** The administrator's view of the outbox; without SMTP it is how tokens reach people. */
export function createMailRoutes(deps: { outbox: Outbox; audit: AuditLog['write'] }): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/outbox',
      access: 'system:mail:read',
      summary: 'Mails, newest first, without their texts',
      query: MailQuery,
      answers: { 200: { description: 'Mails', schema: Type.Array(Mail) } },
      handler: async ({ query, request }) => pageReply(await deps.outbox.list(query), query, request),
    }),
    route({
      method: 'GET',
      path: '/api/outbox/{id}',
      access: 'system:mail:read',
      summary: 'One mail with its text',
      description:
        'The text is there until the mail is delivered or expires. Reading it is written to the audit log.',
      params: IdParams,
      answers: { 200: { description: 'The mail', schema: MailWithText } },
      errors: ['not_found'],
      handler: async ({ user, params, request }) => {
        // The texts hold tokens that take accounts over: more than any API token is given.
        requireSession(user);
        const mail = await deps.outbox.open(params.id);
        const { requestId, ip, path } = request;
        await deps.audit({
          user,
          action: 'GET /api/outbox/{id}',
          resource: path,
          outcome: 'ok',
          requestId,
          ip,
        });
        return ok(mail);
      },
    }),
  ];
}
