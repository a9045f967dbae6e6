import { ApiTokenEntity } from './auth/api-tokens.ts';
import { EmailTokenEntity } from './auth/email-tokens.ts';
import { RefreshTokenEntity, SessionEntity } from './auth/sessions.ts';
import { UserEntity } from './auth/users.ts';
import { WsTicketEntity } from './auth/ws-tickets.ts';
import { AuditEntryEntity } from './system/audit.ts';
import { OutboxMailEntity } from './system/outbox.ts';

/** Every table, for MikroORM. */
export const entities = [
  UserEntity,
  SessionEntity,
  RefreshTokenEntity,
  EmailTokenEntity,
  ApiTokenEntity,
  WsTicketEntity,
  OutboxMailEntity,
  AuditEntryEntity,
] as const;
