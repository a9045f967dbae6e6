import { Type } from 'typebox';
import type { AuditLog } from '../../db/system/audit.ts';
import { AuditLine, AuditQuery } from '../../domain/system/audit.ts';
import { pageReply } from '../http/page.ts';
import { type Route, route } from '../http/route.ts';

export const createAuditRoutes = ({ audit }: { audit: Pick<AuditLog, 'list'> }): Route[] => [
  route({
    method: 'GET',
    path: '/api/audit',
    access: 'system:audit:read',
    summary: 'Who changed what',
    query: AuditQuery,
    answers: { 200: { description: 'newest first', schema: Type.Array(AuditLine) } },
    handler: async ({ query, request }) => pageReply(await audit.list(query), query, request),
  }),
];
