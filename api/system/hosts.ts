import { Type } from 'typebox';
import type { HostRepository } from '../../db/system/hosts.ts';
import { Host, HostParams } from '../../domain/system/hosts.ts';
import { noContent, ok, type Route, route } from '../http/route.ts';

export const createHostRoutes = ({ hosts }: { hosts: Pick<HostRepository, 'list' | 'remove'> }): Route[] => [
  route({
    method: 'GET',
    path: '/api/hosts',
    access: 'system:hosts:read',
    summary: 'List worker hosts',
    answers: { 200: { description: 'those that are online first', schema: Type.Array(Host) } },
    handler: async () => ok(await hosts.list()),
  }),
  route({
    method: 'DELETE',
    path: '/api/hosts/{name}',
    access: 'system:hosts:write',
    summary: 'Forget a worker host',
    description: 'One that is online is not forgotten; one that comes back later is listed again.',
    params: HostParams,
    answers: { 204: { description: 'forgotten' } },
    errors: ['conflict'],
    async handler({ params }) {
      await hosts.remove(params.name);
      return noContent();
    },
  }),
];
