import { Type } from 'typebox';
import type { HostRepository } from '../../db/system/hosts.ts';
import { Host, HostParams } from '../../domain/system/hosts.ts';
import { noContent, ok, type Route, route } from '../http/route.ts';

/** Worker hosts as people see them. */
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
    summary: 'Delete a worker host',
    description:
      'Its credential and grants are gone at once; within seconds it ends its steps and stops. Its name is free.',
    params: HostParams,
    answers: { 204: { description: 'deleted' } },
    async handler({ params }) {
      await hosts.remove(params.name);
      return noContent();
    },
  }),
];
