import { defineEntity, p } from '@mikro-orm/postgresql';
import { v7 as uuidv7 } from 'uuid';
import { AppError } from '../../domain/errors.ts';
import type { Envelope } from '../../domain/system/envelope.ts';
import type { Mail, MailKind, NewMail } from '../../domain/system/mail.ts';
import type { Database, Sql } from '../orm.ts';
import { iso, type Page, pageClause, rows } from '../sql.ts';

export const OutboxMailEntity = defineEntity({
  name: 'OutboxMail',
  tableName: 'outbox_mails',
  properties: {
    id: p.uuid().primary(),
    to: p.text(),
    subject: p.text(),
    kind: p.text().$type<MailKind>(),
    sealed: p.blob().nullable(),
    key_id: p.text().nullable().generated("encode(substring(sealed from 2 for 8), 'hex') stored"),
    state: p.text().$type<Mail['state']>(),
    attempts: p.integer().default(0),
    last_error: p.text().nullable(),
    expires_at: p.datetime(3),
    created_at: p.datetime(3),
    delivered_at: p.datetime(3).nullable(),
  },
});

/** Who inserted a mail starts its delivery with this once the transaction is committed. */
export interface QueuedMail {
  mailId: string;
  expiresAt: string;
}

export interface OpenMail extends Mail {
  /** Null once it is delivered or expired. */
  text: string | null;
}

/** Rows of mails that are done with are kept for this long. */
const RETENTION_DAYS = 90;

const columns = `id, "to", subject, kind, state, attempts, last_error, ${iso('expires_at')}, ${iso('created_at')},
  ${iso('delivered_at')}`;

/** Where a mail's text is sealed for. */
export const mailPlace = (id: string): string => `outbox_mails/${id}`;

export type Outbox = ReturnType<typeof createOutbox>;

export function createOutbox(database: Database, envelope: Envelope) {
  return {
    /** Puts a mail into the outbox as part of the transaction that makes it necessary. */
    put: async (em: Sql, mail: NewMail): Promise<QueuedMail> => {
      const mailId = mail.id ?? uuidv7();
      const expiresAt = mail.expiresAt.toISOString();
      await rows(
        em,
        `insert into outbox_mails (id, "to", subject, kind, sealed, state, expires_at, created_at)
           values (?, ?, ?, ?, ?, 'queued', ?, now()) on conflict (id) do nothing`,
        [mailId, mail.to, mail.subject, mail.kind, envelope.seal(mail.text, mailPlace(mailId)), expiresAt],
      );
      return { mailId, expiresAt };
    },
    list: (query: Page & { state?: Mail['state'] }): Promise<Mail[]> => {
      const { where, params, tail } = pageClause(query);
      return rows(
        database.em,
        `select ${columns} from outbox_mails where ${query.state ? 'state = ?' : 'true'} ${where} ${tail}`,
        [...(query.state ? [query.state] : []), ...params],
      );
    },
    /** One mail with its text as long as that is kept. */
    open: async (id: string): Promise<OpenMail> => {
      const [row] = await rows<Mail & { sealed: Buffer | null }>(
        database.em,
        `select ${columns}, case when expires_at > now() then sealed end as sealed from outbox_mails where id = ?`,
        [id],
      );
      if (!row) throw new AppError('not_found', `There is no mail ${id}.`);
      const { sealed, ...mail } = row;
      return { ...mail, text: sealed && envelope.open(sealed, mailPlace(id)) };
    },
    delivered: (id: string): Promise<unknown> =>
      rows(
        database.em,
        `update outbox_mails set state = 'delivered', delivered_at = now(), sealed = null, last_error = null,
           attempts = attempts + 1 where id = ? and state = 'queued'`,
        [id],
      ),
    /** Notes a failed attempt; a permanent failure ends the delivery, the text stays readable until it expires. */
    attemptFailed: (
      id: string,
      reason: string,
      { isPermanent }: { isPermanent: boolean },
    ): Promise<unknown> =>
      rows(
        database.em,
        `update outbox_mails set state = ?, last_error = ?, attempts = attempts + 1 where id = ? and state = 'queued'`,
        [isPermanent ? 'failed' : 'queued', reason, id],
      ),
    expire: (id: string): Promise<unknown> =>
      rows(
        database.em,
        "update outbox_mails set state = 'expired', sealed = null where id = ? and state = 'queued'",
        [id],
      ),
  };
}

/**
 * Mails whose delivery a reconciler starts again: starting twice is starting once. Those that nobody has tried yet
 * come first, so that many which a server keeps refusing hide none whose start was lost.
 */
export function listUndelivered(database: Database, limit = 100): Promise<QueuedMail[]> {
  return rows(
    database.em,
    `select id as "mailId", ${iso('expires_at', '"expiresAt"')} from outbox_mails
       where state = 'queued' and expires_at > now() order by attempts, id limit ${Number(limit)}`,
  );
}

/** Forgets the texts of mails that are too old to be of use, and old rows altogether. */
export async function expireOutbox(database: Database, now: Date): Promise<void> {
  const at = now.toISOString();
  await rows(
    database.em,
    `update outbox_mails set sealed = null, state = case state when 'queued' then 'expired' else state end
       where expires_at <= ? and (sealed is not null or state = 'queued')`,
    [at],
  );
  await rows(
    database.em,
    `delete from outbox_mails where expires_at < ?::timestamptz - interval '${RETENTION_DAYS} days'`,
    [at],
  );
}
