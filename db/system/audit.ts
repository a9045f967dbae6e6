import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import type { AuditLine, AuditQuery } from '../../domain/system/audit.ts';
import type { Database } from '../orm.ts';
import { iso, pageClause, prepared, rows } from '../sql.ts';

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
  user: { userId: string | null; username: string } | undefined;
  action: string;
  resource: string;
  outcome: string;
  requestId: string;
  ip: string;
}

export interface AuditLog {
  write(line: NewAuditLine): Promise<void>;
  /** Newest first. */
  list(query: AuditQuery): Promise<AuditLine[]>;
}

const columns = `id, ${iso('at')}, actor, action, resource, outcome, request_id, ip`;

export function createAuditLog(database: Database): AuditLog {
  return {
    async write({ user, action, resource, outcome, requestId, ip }) {
      await prepared(
        database.em,
        `insert into audit_log (id, at, user_id, actor, action, resource, outcome, request_id, ip)
         values (?, now(), ?, ?, ?, ?, ?, ?, ?)`,
        [
          ...[uuidv7(), user?.userId ?? null, user?.username ?? 'anonymous'],
          ...[action, resource, outcome, requestId, ip],
        ],
      );
    },
    list(query) {
      const { where, params, tail } = pageClause(query);
      const filters = filterable.filter((name) => query[name] !== undefined);
      const conditions = filters.map((name) => `and ${name} = ?`).join(' ');
      return rows(database.em, `select ${columns} from audit_log where true ${conditions} ${where} ${tail}`, [
        ...filters.map((name) => query[name]),
        ...params,
      ]);
    },
  };
}

const filterable = ['actor', 'action', 'outcome'] as const;
