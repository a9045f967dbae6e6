import type { HostGrantRepository } from '../../db/system/host-grants.ts';
import { HostGrants, HostParams } from '../../domain/system/hosts.ts';
import { ok, type Route, route } from '../http/route.ts';

export interface HostGrantRouteDeps {
  grants: Pick<HostGrantRepository, 'get' | 'set'>;
  /** Makes this process look at what accounts may do again. */
  forgetAccounts(): void;
}

/** Who may run code on which host. */
export const createHostGrantRoutes = ({ grants, forgetAccounts }: HostGrantRouteDeps): Route[] => [
  route({
    method: 'GET',
    path: '/api/hosts/{name}/grants',
    access: 'system:hosts:write',
    summary: 'Who may run code on a host',
    description: 'Besides those who may on every host: administrators, and whom the permission was granted.',
    params: HostParams,
    answers: { 200: { description: 'users by their ids', schema: HostGrants } },
    handler: async ({ params }) => ok(await grants.get(params.name)),
  }),
  route({
    method: 'PUT',
    path: '/api/hosts/{name}/grants',
    access: 'system:hosts:write',
    summary: 'Say who may run code on a host',
    description: 'Replaces all. With one grant a user may save and start workflows with code.',
    params: HostParams,
    body: HostGrants,
    answers: { 200: { description: 'as it is now', schema: HostGrants } },
    async handler({ params, body }) {
      const set = await grants.set(params.name, body);
      forgetAccounts();
      return ok(set);
    },
  }),
];
