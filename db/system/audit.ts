import { defineEntity, p } from '@mikro-orm/postgresql';

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
