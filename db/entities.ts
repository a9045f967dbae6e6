import { AuditEntryEntity } from './system/audit.ts';

/** Every table, for MikroORM. */
export const entities = [AuditEntryEntity] as const;
