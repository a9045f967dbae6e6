import type { Static } from 'typebox';
import type { Database } from '../../../db/orm.ts';
import type { Outbox, QueuedMail } from '../../../db/system/outbox.ts';
import type { notifyEmail } from '../../../domain/neosyntis/verbs/notify-email.ts';
import { derivedId } from './derived-id.ts';
import type { VerbImplementation } from './verbs.ts';

/** What cannot be delivered for this long is given up. */
const KEPT_DAYS = 3;

/**
 * `notify.email`: one mail a recipient into the outbox, which delivers it. The mails' ids are derived from the
 * step, so a repeat puts none twice.
 */
export function createNotifyEmail(deps: {
  database: Database;
  outbox: Pick<Outbox, 'put'>;
  startMail(mail: QueuedMail): Promise<void>;
}): VerbImplementation {
  return async ({ runId, path, iteration, attempt, args }) => {
    const { to, subject, text } = args as Static<typeof notifyEmail.with>; // the caller checked it against this schema
    const recipients = [...new Set([to].flat())];
    const expiresAt = new Date(Date.now() + KEPT_DAYS * 86_400_000);
    const queued = await deps.database.em.fork().transactional(async (tx) => {
      const mails: QueuedMail[] = [];
      for (const recipient of recipients) {
        const id = derivedId(runId, `${path} ${iteration.join('.')} ${attempt} ${recipient}`);
        mails.push(
          await deps.outbox.put(tx, { id, kind: 'notification', to: recipient, subject, text, expiresAt }),
        );
      }
      return mails;
    });
    for (const mail of queued) await deps.startMail(mail);
    return { mail_ids: queued.map(({ mailId }) => mailId) };
  };
}
