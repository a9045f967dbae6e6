import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import type { Database } from '../orm.ts';
import { iso, type Page, pageClause, rows } from '../sql.ts';

/** Append-only: a trigger refuses to change a line. */
export const AuditEntryEntity = defineEntity({
  name: 'AuditEntry',
  tableName: 'audit_log',
  properties: {
    id: p.uuid().primary(),
    at: p.datetime(3),
    user_id: p.uuid().nullable(),
    actor: p.text(),
    action: p.text(),
    resource: p.text(),
    outcome: p.text(),
    request_id: p.text(),
    ip: p.text(),
  },
});

/** What the router knows of a change of state. */
export interface NewAuditLine {
  user: { userId: string; username: string } | undefined;
  action: string;
  resource: string;
  outcome: string;
  requestId: string;
  ip: string;
}

export interface AuditLine {
  id: string;
  at: string;
  /** A user name as it was then, or `anonymous`. */
  actor: string;
  action: string;
  resource: string;
  outcome: string;
  request_id: string;
  ip: string;
}

export interface AuditLog {
  write(line: NewAuditLine): Promise<void>;
  /** Newest first. */
  list(page: Page): Promise<AuditLine[]>;
}

const columns = `id, ${iso('at')}, actor, action, resource, outcome, request_id, ip`;

export function createAuditLog(database: Database): AuditLog {
  return {
    async write({ user, action, resource, outcome, requestId, ip }) {
      await database.em.fork().insert(AuditEntryEntity, {
        id: uuidv7(),
        at: new Date(),
        user_id: user?.userId ?? null,
        actor: user?.username ?? 'anonymous',
        action,
        resource,
        outcome,
        request_id: requestId,
        ip,
      });
    },
    async list(page) {
      const { where, params, tail } = pageClause(page);
      return rows(database.em, `select ${columns} from audit_log where true ${where} ${tail}`, params);
    },
  };
}
