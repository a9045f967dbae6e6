/** Sends mails somewhere. */
export interface MailTransport {
  /**
   * Hands one mail over. A repeat of the same id carries the same Message-ID, so that receivers can tell.
   * @throws MailRejected when trying again cannot help, another error when it can.
   */
  send(mail: { id: string; to: string; subject: string; text: string }): Promise<void>;
  close(): void;
}

/** The receiving side refused the mail for good. */
export class MailRejected extends Error {
  override readonly name = 'MailRejected';
}
