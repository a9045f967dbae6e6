import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import type { AuditLine, AuditQuery } from '../../domain/system/audit.ts';
import { createBatches } from '../batches.ts';
import type { Database } from '../orm.ts';
import { iso, json, pageClause, prepared, rows } from '../sql.ts';

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
  const writer = createBatches((lines: AuditRow[]) =>
    prepared(
      database.em,
      `insert into audit_log (id, at, user_id, actor, action, resource, outcome, request_id, ip)
       select id, now(), user_id, actor, action, resource, outcome, request_id, ip
       from json_to_recordset(?::json) as x(id uuid, user_id uuid, actor text, action text, resource text,
         outcome text, request_id text, ip text)`,
      [json(lines)],
    ),
  );
  return {
    write: (line) => writer.add(asRow(line)),
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

type AuditRow = ReturnType<typeof asRow>;

const asRow = ({ user, action, resource, outcome, requestId, ip }: NewAuditLine) => ({
  ...{ id: uuidv7(), user_id: user?.userId ?? null, actor: user?.username ?? 'anonymous' },
  ...{ action, resource, outcome, request_id: requestId, ip },
});

const filterable = ['actor', 'action', 'outcome'] as const;
