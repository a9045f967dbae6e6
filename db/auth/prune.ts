import { SESSION_IDLE_DAYS } from '../../domain/auth/sessions.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';

/** Deletes what does not count any more: old sessions with their refresh tokens, tickets, tokens, counters. */
export async function pruneAuth(database: Database): Promise<void> {
  const { em } = database;
  // A revoked session stays until a reuse of its tokens could not mean anything any more.
  await rows(em, `delete from sessions where last_used_at < now() - interval '${SESSION_IDLE_DAYS} days'`);
  await rows(em, `delete from refresh_tokens where used_at < now() - interval '${SESSION_IDLE_DAYS} days'`);
  await rows(em, 'delete from ws_tickets where expires_at < now()');
  await rows(em, 'delete from email_tokens where expires_at < now()');
  await rows(em, 'delete from rate_limits where expire < extract(epoch from now()) * 1000');
}
