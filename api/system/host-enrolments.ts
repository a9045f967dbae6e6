import { Type } from 'typebox';
import type { EnrolmentRepository } from '../../db/system/host-enrolments.ts';
import { CreatedEnrolment, Enrolment, NewEnrolment } from '../../domain/system/host-access.ts';
import { IdParams } from '../../domain/wire.ts';
import { created, noContent, ok, type Route, route } from '../http/route.ts';

export interface EnrolmentRouteDeps {
  enrolments: Pick<EnrolmentRepository, 'create' | 'list' | 'remove'>;
}

/** Tokens by which new worker hosts come in. */
export const createEnrolmentRoutes = ({ enrolments }: EnrolmentRouteDeps): Route[] => [
  route({
    method: 'POST',
    path: '/api/hosts/enrolments',
    access: 'system:hosts:write',
    summary: 'Let one new worker host in',
    description:
      'Gives the token for `npm run host`. With a `name` it is for that host, even one that is online.',
    body: NewEnrolment,
    bodyOptional: true,
    answers: { 201: { description: 'with the token, which is shown this once', schema: CreatedEnrolment } },
    async handler({ body }) {
      const enrolment = await enrolments.create(body);
      return created(enrolment, `/api/hosts/enrolments/${enrolment.id}`);
    },
  }),
  route({
    method: 'GET',
    path: '/api/hosts/enrolments',
    access: 'system:hosts:write',
    summary: 'List enrolments that can still be used',
    answers: { 200: { description: 'newest first, without their tokens', schema: Type.Array(Enrolment) } },
    handler: async () => ok(await enrolments.list()),
  }),
  route({
    method: 'DELETE',
    path: '/api/hosts/enrolments/{id}',
    access: 'system:hosts:write',
    summary: 'Withdraw an enrolment',
    params: IdParams,
    answers: { 204: { description: 'its token is of no use any more' } },
    async handler({ params }) {
      await enrolments.remove(params.id);
      return noContent();
    },
  }),
];
