import { createTransport } from 'nodemailer';
import { MailRejected, type MailTransport } from './port.ts';

/**
 * Sends by SMTP (RFC 5321), with STARTTLS where the server offers it.
 * @param url `smtp://user:password@host:port` or `smtps://…`
 */
export function createSmtpTransport({ url, from }: { url: string; from: string }): MailTransport {
  const transport = createTransport(
    {
      url,
      connectionTimeout: 10_000,
      greetingTimeout: 10_000,
      socketTimeout: 20_000,
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from },
  );
  const domain = /@([A-Za-z0-9.-]+)/.exec(from)?.[1] ?? 'vareon';
  return {
    async send({ id, to, subject, text }) {
      try {
        await transport.sendMail({
          to: { name: '', address: to },
          subject,
          text,
          messageId: `<${id}@${domain}>`,
        });
      } catch (error) {
        // RFC 5321 4.2.1: 5yz is a permanent negative answer. 53z is about our login, which a person can repair.
        const { responseCode } = error as { responseCode?: number }; // nodemailer's SMTP errors carry it
        const isPermanent = responseCode !== undefined && responseCode >= 550 && responseCode < 560;
        // Without its cause: what a server echoes of the mail must not reach logs or Temporal's history.
        throw isPermanent ? new MailRejected(plain(error)) : new Error(plain(error));
      }
    },
    close: () => transport.close(),
  };
}

/** What the server said, cut short and without anything that could be a link of ours. */
const plain = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error))
    .replaceAll(/https?:\/\/\S+/g, '[link]')
    .slice(0, 300);
