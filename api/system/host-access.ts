import type { AuditLog } from '../../db/system/audit.ts';
import type { EnrolmentRepository } from '../../db/system/host-enrolments.ts';
import type { HostLeases } from '../../db/system/host-leases.ts';
import {
  Enrolled,
  EnrolRequest,
  HostSettings,
  Lease,
  LeaseKeep,
  LeaseRequest,
} from '../../domain/system/host-access.ts';
import { audited } from '../auth/audited.ts';
import { created, ok, type Route, route } from '../http/route.ts';
import type { HostAuthenticator } from './host-authenticator.ts';

export interface HostAccessDeps {
  enrolments: Pick<EnrolmentRepository, 'redeem'>;
  leases: HostLeases;
  settings: (name: string) => HostSettings;
  authenticator: Pick<HostAuthenticator, 'forget'>;
  audit: AuditLog['write'];
}

/** What worker hosts ask of the API, all of it outbound from them. */
export const createHostAccessRoutes = (deps: HostAccessDeps): Route[] => [
  route({
    method: 'POST',
    path: '/api/host/enrol',
    access: 'public',
    summary: 'Join as a worker host',
    description:
      'With an enrolment token, which is used up. `npm run host` does this. A name that is online is not taken over, unless the token was made for it.',
    body: EnrolRequest,
    answers: { 201: { description: 'the host’s own credential, shown this once', schema: Enrolled } },
    errors: ['unauthenticated', 'conflict'],
    audit: false, // by audited(): who it is is known only in the end
    handler: ({ body, request }) =>
      audited(deps.audit, 'POST /api/host/enrol', request, async () => {
        const { credential } = await deps.enrolments.redeem(body);
        deps.authenticator.forget();
        const reply = created({ credential, settings: deps.settings(body.name) }, '/api/host/settings');
        return { reply, actor: { userId: null, username: `host ${body.name}` } };
      }),
  }),
  route({
    method: 'GET',
    path: '/api/host/settings',
    access: 'host',
    summary: 'Where this host finds Temporal and the bus',
    answers: { 200: { description: 'as they are now', schema: HostSettings } },
    handler: async ({ host }) => ok(deps.settings(host)),
  }),
  route({
    method: 'POST',
    path: '/api/host/lease',
    access: 'host',
    summary: 'Take this host’s name',
    description:
      'Of two machines with one credential the first has the name, until it releases it or falls silent for 15 s.',
    body: LeaseRequest,
    answers: { 200: { description: 'the new holder’s generation', schema: Lease } },
    errors: ['conflict'],
    handler: async ({ host, body }) => ok(await deps.leases.take(host, body)),
  }),
  route({
    method: 'PUT',
    path: '/api/host/lease',
    access: 'host',
    summary: 'Keep or release this host’s name',
    description: 'Every few seconds; 409 once another has it.',
    body: LeaseKeep,
    answers: { 200: { description: 'still the holder', schema: Lease } },
    errors: ['conflict'],
    audit: false, // every few seconds
    handler: async ({ host, body }) => ok(await deps.leases.keep(host, body)),
  }),
];
