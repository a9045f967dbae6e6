import type { Outbox } from '../../../db/system/outbox.ts';
import { MailRejected, type MailTransport } from '../../../drivers/mail/port.ts';

export type MailActivities = ReturnType<typeof createMailActivities>;

/** @param transport undefined without SMTP: mails then wait for an administrator to read them. */
export function createMailActivities(deps: { outbox: Outbox; transport: MailTransport | undefined }) {
  return {
    /**
     * Sends one mail of the outbox, or does nothing when that is done. A crash between the server's yes and our
     * note of it sends it again under the same Message-ID.
     */
    async sendMail(mailId: string): Promise<void> {
      const mail = await deps.outbox.open(mailId);
      if (mail.state !== 'queued' || mail.text === null) return;
      if (!deps.transport) throw new Error('SMTP_URL is not set');
      try {
        await deps.transport.send({ id: mail.id, to: mail.to, subject: mail.subject, text: mail.text });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        await deps.outbox.attemptFailed(mailId, reason, { isPermanent: error instanceof MailRejected });
        if (error instanceof MailRejected) return;
        throw error;
      }
      await deps.outbox.delivered(mailId);
    },
    /** Gives a mail up whose time is over. */
    async expireMail(mailId: string): Promise<void> {
      await deps.outbox.expire(mailId);
    },
  };
}
