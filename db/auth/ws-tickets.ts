import { defineEntity, p } from '@mikro-orm/postgresql';
import type { Principal } from '../../domain/auth/principal.ts';
import { TICKET_SECONDS } from '../../domain/auth/sessions.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';
import { accountGone, unlessViolated } from './constraints.ts';
import { newSecret, sha256 } from './secrets.ts';

export const WsTicketEntity = defineEntity({
  name: 'WsTicket',
  tableName: 'ws_tickets',
  properties: {
    hash: p.blob().primary(),
    session_id: p.uuid().nullable(),
    api_token_id: p.uuid().nullable(),
    expires_at: p.datetime(3),
  },
});

/** One-use stand-ins for a credential, for clients that cannot send headers with a WebSocket's upgrade. */
export function createTicketRepository(database: Database) {
  return {
    issue: async (credential: Principal['credential']): Promise<string> => {
      const ticket = newSecret(256);
      await unlessViolated('foreignKey', accountGone, () =>
        rows(
          database.em,
          `insert into ws_tickets (hash, session_id, api_token_id, expires_at)
           values (?, ?, ?, now() + interval '${TICKET_SECONDS} seconds')`,
          [
            sha256(ticket),
            credential.kind === 'session' ? credential.sessionId : null,
            credential.kind === 'api_token' ? credential.tokenId : null,
          ],
        ),
      );
      return ticket;
    },
    /** The credential of who asked for it, once and in time; undefined otherwise. */
    take: async (ticket: string): Promise<Principal['credential'] | undefined> => {
      const [row] = await rows<{ session_id: string | null; api_token_id: string | null; is_live: boolean }>(
        database.em,
        'delete from ws_tickets where hash = ? returning session_id, api_token_id, expires_at > now() as is_live',
        [sha256(ticket)],
      );
      if (!row?.is_live) return undefined;
      if (row.session_id) return { kind: 'session', sessionId: row.session_id };
      return row.api_token_id ? { kind: 'api_token', tokenId: row.api_token_id } : undefined;
    },
  };
}
