import { createTicketRepository } from '../../db/auth/ws-tickets.ts';
import { TICKET_SECONDS, Ticket } from '../../domain/auth/sessions.ts';
import { ok, type Route, route } from '../http/route.ts';
import type { AuthDeps } from './deps.ts';

/** For browsers, which cannot send an Authorization header with a WebSocket's upgrade. */
export function createTicketRoutes(deps: AuthDeps): Route[] {
  const tickets = createTicketRepository(deps.database);
  return [
    route({
      method: 'POST',
      path: '/api/ws-ticket',
      access: 'login',
      summary: 'A ticket for one WebSocket',
      description:
        'Good for one use as ?ticket= and only for some seconds; it stands for the credential that asked.',
      answers: { 200: { description: 'The ticket', schema: Ticket } },
      // Dashboards ask for one at each connection; it gives nobody anything they did not have.
      audit: false,
      handler: async ({ user }) =>
        ok({ ticket: await tickets.issue(user.credential), expires_in: TICKET_SECONDS }),
    }),
  ];
}
