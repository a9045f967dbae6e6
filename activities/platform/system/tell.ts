import type { Sql } from '../../../db/orm.ts';
import type { Outbox, QueuedMail } from '../../../db/system/outbox.ts';
import type { Envelope } from '../../../domain/system/envelope.ts';
import type { Json } from '../../../domain/wire.ts';
import { derivedId } from '../neosyntis/derived-id.ts';
import type { VerbImplementation } from '../neosyntis/verbs.ts';

export interface TellDeps {
  outbox: Pick<Outbox, 'put'>;
  envelope: Envelope;
  /** `notify.webhook`. */
  notifyWebhook: VerbImplementation;
}

/** What people are told of. */
export interface Subject {
  id: string;
  /** What of it; ids of mails and webhooks are derived from both, so that a repeat tells nobody twice. */
  kind: string;
}

export interface WebhookOf {
  url: string;
  /** What signs it. */
  sealed: Buffer | null;
  /** Where that was sealed. */
  place: string;
}

/** Told in one pass at most; the next one goes on. */
export const TOLD_AT_ONCE = 500;

const KEPT_DAYS = 3;
const TIMEOUT_MS = 30_000;

/** Tells people by mail and webhook what became of something. */
export const createTelling = ({ outbox, envelope, notifyWebhook }: TellDeps) => ({
  /** Puts a mail for each into the outbox. @returns those to be started once the transaction is committed */
  async mails(
    tx: Sql,
    { id: subjectId, kind }: Subject,
    recipients: readonly string[],
    mail: { subject: string; text: string },
  ): Promise<QueuedMail[]> {
    const expiresAt = new Date(Date.now() + KEPT_DAYS * 86_400_000);
    const queued: QueuedMail[] = [];
    for (const to of recipients) {
      const id = derivedId(subjectId, `notification ${kind} ${to}`);
      queued.push(await outbox.put(tx, { id, kind: 'notification', to, ...mail, expiresAt }));
    }
    return queued;
  },

  /** One attempt. */
  async webhook({ id, kind }: Subject, { url, sealed, place }: WebhookOf, body: Json): Promise<void> {
    const secret = sealed && envelope.open(sealed, place);
    await notifyWebhook({
      ...{ runId: id, path: `notification ${kind}`, iteration: [], attempt: 1, timeoutMs: TIMEOUT_MS },
      verb: 'notify.webhook',
      args: { url, body, ...(secret ? { secret } : {}) },
    });
  },
});
