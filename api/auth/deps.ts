import type { Config } from '../../config.ts';
import type { Ownership } from '../../db/auth/users.ts';
import type { Database } from '../../db/orm.ts';
import type { AuditLog } from '../../db/system/audit.ts';
import type { Outbox } from '../../db/system/outbox.ts';
import type { Logger } from '../../logs.ts';
import type { AccountAuthenticator } from './authenticator.ts';

/** What the routes of accounts and mail are made from. */
export interface AuthDeps {
  database: Database;
  config: Pick<Config, 'VAREON_REGISTRATION' | 'VERIFICATION_TOKEN_EXPIRE_MINUTES'>;
  /** Where people reach this installation, without a slash at its end: links in mails begin with it. */
  publicUrl: string;
  authenticator: AccountAuthenticator;
  outbox: Outbox;
  ownership: Ownership;
  /**
   * Starts the durable delivery of a mail that is committed; undefined without SMTP. It may fail: the mails that
   * `listUndelivered` gives are started again.
   */
  startMail: ((mailId: string, expiresAt: string) => Promise<unknown>) | undefined;
  audit: AuditLog['write'];
  log: Logger;
}
