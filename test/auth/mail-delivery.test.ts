import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SMTPServer } from 'smtp-server';
import { createMailActivities } from '../../activities/platform/system/mail.ts';
import type { Database } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';
import { createOutbox, type Outbox } from '../../db/system/outbox.ts';
import type { MailTransport } from '../../drivers/mail/port.ts';
import { createSmtpTransport } from '../../drivers/mail/smtp.ts';
import { createEnvelope } from '../../drivers/secrets/envelope.ts';
import { newDatabase } from './installation.ts';

let database: Database;
let drop: () => Promise<void>;
let outbox: Outbox;
let transport: MailTransport;
let smtp: SMTPServer;
const received: string[] = [];
/** What the server says to the next recipient; undefined is yes. */
let refusal: { code: number; text: string } | undefined;

beforeAll(async () => {
  ({ database, drop } = await newDatabase());
  outbox = createOutbox(database, createEnvelope([randomBytes(32)]));
  smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onRcptTo: (_, __, callback) =>
      callback(refusal && Object.assign(new Error(refusal.text), { responseCode: refusal.code })),
    onData: (stream, _, callback) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        received.push(Buffer.concat(chunks).toString());
        callback();
      });
    },
  });
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', () => resolve()));
  const { port } = smtp.server.address() as AddressInfo; // it listens on TCP
  transport = createSmtpTransport({ url: `smtp://127.0.0.1:${port}`, from: 'Vareon <vareon@example.org>' });
});

afterAll(async () => {
  transport.close();
  await new Promise<void>((resolve) => smtp.close(() => resolve()));
  await drop();
});

const queue = (expiresAt = new Date(Date.now() + 60_000)) =>
  outbox.put(database.em, {
    to: 'ada@example.org',
    subject: 'Grüße',
    kind: 'verify_email',
    text: 'Hello Ada,\n\nhttp://vareon.test/api/verify-email?token=AAAAAAAAAAAAAAAAAAAAAA\n',
    expiresAt,
  });
const activities = (by: MailTransport | undefined = transport) =>
  createMailActivities({ outbox, transport: by });
const state = async (id: string) => {
  const [row] = await rows<object>(
    database.em,
    'select state, attempts, last_error, sealed is null as is_forgotten from outbox_mails where id = ?',
    [id],
  );
  return row;
};

describe('delivering a mail', () => {
  test('hands it over by SMTP once and forgets its text', async () => {
    received.length = 0;
    const { mailId } = await queue();
    await activities().sendMail(mailId);
    await activities().sendMail(mailId);
    expect(received).toHaveLength(1);
    expect(received[0]).toContain(`Message-ID: <${mailId}@example.org>`);
    expect(received[0]).toContain('To: ada@example.org');
    expect(received[0]).toContain('From: Vareon <vareon@example.org>');
    expect(received[0]?.replaceAll('=\r\n', '').replaceAll('=3D', '=')).toContain(
      'token=AAAAAAAAAAAAAAAAAAAAAA',
    );
    expect(await state(mailId)).toEqual({
      state: 'delivered',
      attempts: 1,
      last_error: null,
      is_forgotten: true,
    });
  });

  test('repeats under the same Message-ID when the note of the delivery was lost', async () => {
    received.length = 0;
    const { mailId } = await queue();
    const forgetful = { ...outbox, delivered: async () => Promise.reject(new Error('the database is gone')) };
    const lossy = createMailActivities({ outbox: forgetful, transport });
    await expect(lossy.sendMail(mailId)).rejects.toThrow('the database is gone');
    await activities().sendMail(mailId);
    const ids = received.map((mail) => /Message-ID: (.*)\r/.exec(mail)?.[1]);
    expect(ids).toEqual([`<${mailId}@example.org>`, `<${mailId}@example.org>`]);
  });

  test('asks to be tried again while the server cannot take it, without repeating links of ours', async () => {
    const { mailId } = await queue();
    refusal = { code: 451, text: 'busy with http://vareon.test/api/verify-email?token=x, try later' };
    await expect(activities().sendMail(mailId)).rejects.toThrow(/451 busy with \[link\] try later/);
    expect(await state(mailId)).toMatchObject({ state: 'queued', attempts: 1, is_forgotten: false });
    refusal = undefined;
    await activities().sendMail(mailId);
    expect(await state(mailId)).toMatchObject({ state: 'delivered', attempts: 2 });
  });

  test('gives up when the server refuses it for good; the administrator can still read it', async () => {
    const { mailId } = await queue();
    refusal = { code: 550, text: 'no such user' };
    await activities().sendMail(mailId);
    refusal = undefined;
    expect(await state(mailId)).toEqual({
      state: 'failed',
      attempts: 1,
      last_error: expect.stringContaining('550 no such user'),
      is_forgotten: false,
    });
    expect((await outbox.open(mailId)).text).toContain('Hello Ada');
  });

  test('asks to be tried again when nobody listens', async () => {
    const { mailId } = await queue();
    const nowhere = createSmtpTransport({ url: 'smtp://127.0.0.1:1', from: 'vareon@example.org' });
    await expect(activities(nowhere).sendMail(mailId)).rejects.toThrow(/ECONNREFUSED/);
    expect(await state(mailId)).toMatchObject({ state: 'queued', attempts: 1 });
  });

  test('sends nothing after the mail has expired', async () => {
    received.length = 0;
    const { mailId } = await queue(new Date(Date.now() - 1));
    await activities().sendMail(mailId);
    expect(received).toEqual([]);
    await activities().expireMail(mailId);
    expect(await state(mailId)).toMatchObject({ state: 'expired', is_forgotten: true });
  });
});
